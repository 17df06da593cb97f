{problems}SELECT current_setting('server_version_num'),
       current_database(),
       current_user,
       current_setting('pgmarch.schema'),
       pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean,
       current_setting('server_version'),
       current_setting('pgmarch.search_path'),
       current_setting('pgmarch.row_security'),
       ours.version_schema,
       array_to_string(ours.tables, ','),
       {journal_is_readable},
       ours.has_format,
       CASE WHEN cardinality(ours.tables) BETWEEN 1 AND 3
            THEN has_schema_privilege((SELECT n.oid FROM pg_namespace n WHERE n.nspname = {ledger}), 'CREATE') END,
       ours.plain,
       ours.owned AND coalesce(schemas.owned, true),
       array_to_json(array_cat(ours.owners, schemas.owners)),
       ours.ordinary,
       ours.hidden::regclass,
       word
  FROM (SELECT coalesce(bool_and({plain}), true) AS plain,
               coalesce(bool_and(c.relowner = 10 OR pg_get_userbyid(c.relowner) IN (current_user, session_user)
                   OR c.relowner = (SELECT d.datdba FROM pg_database d WHERE d.datname = current_database())), true) AS owned,
               array_agg(DISTINCT pg_get_userbyid(c.relowner)) FILTER (WHERE c.oid = {version} OR c.relname IN ('revision', 'journal')) AS owners,
               coalesce(bool_and(c.relkind = 'r'), true) AS ordinary,
               array_agg(c.relname) FILTER (WHERE c.oid <> {version}) AS tables,
               max(CASE WHEN c.oid = {version} THEN (SELECT n.nspname::text FROM pg_namespace n WHERE n.oid = c.relnamespace) END) AS version_schema,
               bool_or(c.oid <> {version} AND c.relname = 'format' AND has_table_privilege(c.oid, 'SELECT')) AS has_format,
               max(c.oid) FILTER (WHERE c.relrowsecurity AND row_security_active(c.oid)) AS hidden
          FROM pg_class c WHERE c.oid = ANY {relations}) AS ours
  LEFT JOIN LATERAL (
        SELECT array_agg(pg_get_userbyid(n.nspowner)) AS owners,
               bool_and(n.nspowner = 10 OR pg_get_userbyid(n.nspowner) IN (current_user, session_user, 'pg_database_owner')
                   OR n.nspowner = (SELECT d.datdba FROM pg_database d WHERE d.datname = current_database())) AS owned
          FROM pg_namespace n WHERE n.nspname IN (coalesce(ours.version_schema, {version_place}), {ledger})) AS schemas ON true
  LEFT JOIN LATERAL ts_stat(
       CASE WHEN ours.version_schema IS NOT NULL AND ours.hidden IS NULL AND {trusted} THEN
           CASE WHEN {journal_is_readable} THEN
                format('SELECT array_to_tsvector(array_append(ARRAY(SELECT textcat(''v'', version_num::text) FROM %I.%I), coalesce((SELECT textcat(''s'', sealed) FROM %I.journal WHERE texteq(version_table, %L) ORDER BY id DESC LIMIT 1), ''s'')))',
                       ours.version_schema, {version_name}, {ledger}, concat(ours.version_schema, '.', {version_name}))
           ELSE format('SELECT array_to_tsvector(ARRAY(SELECT textcat(''v'', version_num::text) FROM %I.%I))', ours.version_schema, {version_name})
           END
       END) ON true
