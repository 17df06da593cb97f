WITH us AS (SELECT pid FROM {us} AS us (pid) LIMIT 1),
     progress AS (
        SELECT command, phase,
               CASE WHEN lockers_total > lockers_done THEN lockers_done WHEN tuples_total > 0 AND blocks_done >= blocks_total THEN tuples_done ELSE blocks_done END AS done,
               CASE WHEN lockers_total > lockers_done THEN lockers_total WHEN tuples_total > 0 AND blocks_done >= blocks_total THEN tuples_total ELSE blocks_total END AS total
          FROM pg_stat_progress_create_index WHERE pid = (SELECT pid FROM us)
        UNION ALL
        SELECT command, phase, heap_blks_scanned, heap_blks_total FROM pg_stat_progress_cluster WHERE pid = (SELECT pid FROM us)
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
       CASE WHEN p.total > 0 AND p.done >= 0 THEN CASE WHEN p.done < p.total THEN 100.0 * p.done / p.total ELSE 100 END END::numeric(5, 1)::text, NULL
  FROM us LEFT JOIN progress p ON true LEFT JOIN pg_stat_activity a ON a.pid = us.pid
UNION ALL
SELECT o.what, o.pid::text, NULL, NULL, NULL, {session}
  FROM others o LEFT JOIN pg_stat_activity a ON a.pid = o.pid
