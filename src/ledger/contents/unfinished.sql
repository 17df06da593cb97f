SELECT j.revision, j.direction, j.outcome, j.statement, j.id, j.backend_pid,
       (extract(epoch FROM j.backend_start) * 1000000)::bigint, j.client_host, j.progress, j.detail
  FROM {ledger}.journal j
 WHERE j.version_table = {key} AND j.statement IS NOT NULL
   AND NOT EXISTS (SELECT FROM {ledger}.journal l
                    WHERE l.version_table = j.version_table AND l.revision = j.revision AND l.id > j.id
                      AND (l.statement IS NOT NULL OR l.outcome = 'done' OR l.direction = 'stamp'))
