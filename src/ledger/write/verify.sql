SELECT CASE WHEN {is_same} AND coalesce(noted.tables, now.tables) = now.tables THEN 0
            ELSE concat({changed}, ': expected version ', {expected},
                        ', found ', coalesce(nullif(array_to_string(found.rows, ', '), ''), 'base'),
                        ' [they were ', noted.tables, ']')::integer END
  FROM (SELECT coalesce(array_agg(v.version_num::text ORDER BY v.version_num::text COLLATE "C"), '{}') AS rows FROM {table} v) AS found,
       (SELECT {noted} AS tables) AS noted,
       (SELECT {now} AS tables) AS now
