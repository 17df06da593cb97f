(SELECT count(*) = 2 AND bool_and(has_schema_privilege(o.relnamespace, 'USAGE') AND has_table_privilege(o.oid, 'SELECT'))
   FROM pg_class o
  WHERE o.relname IN ('revision', 'journal') AND o.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = {ledger}))
