SELECT j.revision, j.direction, j.outcome, j.statement, j.id, j.backend_pid,
       (extract(epoch FROM j.backend_start) * 1000000)::bigint, j.client_host, j.progress, j.detail
  FROM (SELECT max(l.id) AS id
          FROM {ledger}.journal l
         WHERE l.version_table = {key} AND (l.statement IS NOT NULL OR l.outcome = 'done' OR l.direction = 'stamp')
         GROUP BY l.revision
        HAVING max(l.id) FILTER (WHERE l.statement IS NOT NULL) = max(l.id)) AS last
  JOIN {ledger}.journal j ON j.id = last.id
