SELECT format('%I.%I', n.nspname, c.relname), {session}
  FROM pg_locks l
  JOIN pg_class c ON c.oid = l.relation
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.granted AND l.mode = 'AccessExclusiveLock'
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
   AND (c.relname = {version_name} OR n.nspname = {ledger})
 ORDER BY c.relname <> {version_name}
 LIMIT 1
