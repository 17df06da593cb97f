-- What a run must know first, in one message: 1 the server, and where our tables are; 2 the version rows, each after a
-- v, and what the last line of the journal seals, after an s.
-- It is what a run with nothing to do waits for, so it is made of lookups in the catalog's own caches, without a block
-- in PL/pgSQL, whose library each new backend would have to load first.
-- A table that is missing reads as an empty one; to ask for it by name would be an error in the server's log. So the
-- query that names it is made only where it is, and run by ts_stat, the one function of the core that runs a query
-- given as text and needs nothing else (manual, 12.4.4).
SELECT current_setting('server_version_num'),
       current_database(),
       current_user,
       current_schema(),
       pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean,
       CASE WHEN type = 'table' THEN (parse_ident(schema))[1] END,
       {journal} IS NOT NULL,
       current_setting('server_version')
  FROM pg_identify_object('pg_class'::regclass, to_regclass({version_table}), 0);
SELECT word
  FROM ts_stat((
    SELECT CASE
           WHEN type IS DISTINCT FROM 'table' THEN NULL
           WHEN {journal} IS NULL THEN
                format('SELECT array_to_tsvector(array_agg(''v'' || version_num)) FROM %s', identity)
           ELSE format('SELECT array_to_tsvector(array_agg(''v'' || version_num) || coalesce((SELECT ''s'' || sealed FROM %s WHERE version_table = %L ORDER BY id DESC LIMIT 1), ''s'')) FROM %s',
                       {journal}, (parse_ident(schema))[1] || '.' || {version_name}, identity)
           END
      FROM pg_identify_object('pg_class'::regclass, to_regclass({version_table}), 0)));
COMMIT
