-- What a run must know first, in one message: the server, where our tables are, and on a line each the version rows, after
-- a v, and what the last line of the journal seals, after an s.
-- It is what a run with nothing to do waits for, and most of its time goes into what a new backend looks up for the first
-- time. So it is one statement, made of few functions, none with namesakes to choose from and none in PL/pgSQL, whose
-- library would have to be loaded.
-- A table that is missing reads as an empty one; to ask for it by name would be an error in the server's log. So the
-- query that names it is made only where it is, and run by ts_stat, the one function of the core that runs a query
-- given as text and needs nothing else (manual, 12.4.4).
-- The operator = instead of texteq would let the planner believe that few lines of the journal are ours: then it reads
-- and sorts all of them, where the last one or so of the primary key will do.
SELECT current_setting('server_version_num'),
       current_database(),
       current_user,
       current_schema(),
       pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean,
       CASE WHEN type = 'table' THEN object_names[1] END,
       {journal} IS NOT NULL,
       current_setting('server_version'),
       word
  FROM pg_identify_object_as_address('pg_class'::regclass, to_regclass({version_table}), 0)
  LEFT JOIN LATERAL ts_stat(
       CASE WHEN type = 'table' THEN
           CASE WHEN {journal} IS NULL THEN
                format('SELECT array_to_tsvector(ARRAY(SELECT textcat(''v'', version_num) FROM %s))', {version_table})
           ELSE format('SELECT array_to_tsvector(array_append(ARRAY(SELECT textcat(''v'', version_num) FROM %s), coalesce((SELECT textcat(''s'', sealed) FROM %s WHERE texteq(version_table, %L) ORDER BY id DESC LIMIT 1), ''s'')))',
                       {version_table}, {journal_name}, textcat(object_names[1], {dot_version_name}))
           END
       END) ON true;
COMMIT
