SELECT format('%I.%I', n.nspname, c.relname), format('%I.%I', tn.nspname, t.relname), i.indisunique, c.relkind = 'I',
       c.relname ~ '_cc(new|old)[0-9]*$'
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_namespace tn ON tn.oid = t.relnamespace
 WHERE NOT (i.indisvalid AND i.indisready AND i.indislive)
   AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
                    WHERE l.locktype = 'relation' AND l.relation = i.indrelid AND l.mode = 'ShareUpdateExclusiveLock' AND l.granted
                      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                      AND a.backend_type IS DISTINCT FROM 'autovacuum worker')
 ORDER BY 1
