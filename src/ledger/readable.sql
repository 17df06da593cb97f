CASE WHEN has_schema_privilege(to_regnamespace({ledger}), 'USAGE')
     THEN CASE WHEN has_table_privilege(to_regclass({revision}), 'SELECT') AND has_table_privilege(to_regclass({journal}), 'SELECT')
               THEN to_regclass({journal}) END END
