WITH line AS (
    SELECT j.id, j.revision, j.direction, j.started, split_part(j.sealed, ' ', 1) AS seal,
           j.outcome = 'noted' AND j.direction IN ('stamp', 'reset') AS sets_all
      FROM {ledger}.journal j
     WHERE j.version_table = {key}
       AND (j.outcome = 'done' AND j.direction IN ('upgrade', 'downgrade')
            OR j.outcome = 'noted' AND j.direction IN ('stamp', 'reset', 'assume', 'skip'))
),
first (id) AS (
    SELECT min(l.id) FROM line l
     WHERE l.sets_all AND l.started = (SELECT s.started FROM line s WHERE s.sets_all ORDER BY s.id DESC LIMIT 1)
)
SELECT last.revision, last.direction, last.seal
  FROM (SELECT DISTINCT ON (l.revision) l.id, l.revision, l.direction, l.seal
          FROM line l WHERE l.id >= coalesce((SELECT f.id FROM first f), 0)
         ORDER BY l.revision, l.id DESC) AS last
 ORDER BY last.id
