SELECT format('%I.%I', n.nspname, c.relname), l.pid,
       format('role %s, %s, from %s, since %s s', coalesce(a.usename, '?'), coalesce(nullif(a.application_name, ''), a.backend_type, '?'),
              coalesce(host(a.client_addr), 'a local socket'), coalesce(extract(epoch FROM clock_timestamp() - a.xact_start)::bigint::text, '?'))
  FROM pg_locks l
  JOIN pg_class c ON c.oid = l.relation
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.granted AND l.mode = 'AccessExclusiveLock' AND l.pid IS NOT NULL
   AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
   AND (c.relname = {version_name} OR n.nspname = {ledger})
 ORDER BY c.relname <> {version_name}
 LIMIT 1
