SELECT DISTINCT ON (l.pid, c.relname) c.relname, {session}
  FROM pg_locks l
  JOIN pg_class c ON c.oid = l.relation
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.granted AND coalesce(l.pid, 0) <> pg_backend_pid() AND c.oid >= 16384
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
 ORDER BY l.pid, c.relname
 LIMIT 1000
