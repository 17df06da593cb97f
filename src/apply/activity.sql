WITH us AS (SELECT pid FROM {us} AS us (pid) LIMIT 1),
     progress AS (
        SELECT command, phase, CASE WHEN lockers_total > lockers_done THEN lockers_done ELSE greatest(blocks_done, tuples_done) END AS done,
               CASE WHEN lockers_total > lockers_done THEN lockers_total WHEN blocks_done > tuples_done THEN blocks_total ELSE greatest(tuples_total, blocks_total) END AS total
          FROM pg_stat_progress_create_index WHERE pid = (SELECT pid FROM us)
        UNION ALL
        SELECT command, phase, CASE WHEN heap_blks_total > 0 THEN heap_blks_scanned ELSE heap_tuples_scanned END,
               CASE WHEN heap_blks_total > 0 THEN heap_blks_total ELSE (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = relid) END
          FROM pg_stat_progress_cluster WHERE pid = (SELECT pid FROM us)
        UNION ALL
        SELECT 'VACUUM', phase, heap_blks_scanned, heap_blks_total FROM pg_stat_progress_vacuum WHERE pid = (SELECT pid FROM us)
        {copy}
     ),
     others AS (
        SELECT 'blocker' AS what, pid FROM unnest(pg_blocking_pids((SELECT pid FROM us))) AS b (pid)
        UNION ALL
        SELECT 'blocked', a.pid FROM pg_stat_activity a
         WHERE a.wait_event_type = 'Lock' AND (SELECT pid FROM us) = ANY (pg_blocking_pids(a.pid))
     )
SELECT 'us' AS what, us.pid::text,
       CASE WHEN a.wait_event = 'SyncRep' THEN 'COMMIT' ELSE p.command END,
       CASE WHEN a.wait_event = 'SyncRep' THEN concat('waiting for a synchronous standby (SyncRep; synchronous_standby_names = ', current_setting('synchronous_standby_names'), ')')
            ELSE p.phase END,
       least(100, 100.0 * p.done / nullif(p.total, 0))::numeric(5, 1)::text, NULL, NULL
  FROM us LEFT JOIN progress p ON true LEFT JOIN pg_stat_activity a ON a.pid = us.pid
UNION ALL
SELECT o.what, o.pid::text, coalesce(a.usename, '?'), coalesce(nullif(a.application_name, ''), a.backend_type, '?'),
       coalesce(host(a.client_addr), 'a local socket'), extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.backend_start))::bigint::text,
       left(coalesce(a.state || ': ', '') || regexp_replace(coalesce(a.query, ''), '\s+', ' ', 'g'), 120)
  FROM others o LEFT JOIN pg_stat_activity a ON a.pid = o.pid
