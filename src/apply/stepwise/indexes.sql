SELECT i.indexrelid, format('%I.%I', n.nspname, c.relname), i.indisvalid AND i.indisready AND i.indislive, c.relname,
       (SELECT {session}
          FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'relation' AND l.relation = i.indrelid AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
           AND a.pid <> pg_catalog.pg_backend_pid() AND a.backend_type <> 'autovacuum worker' LIMIT 1)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE {scope}
 ORDER BY i.indexrelid
