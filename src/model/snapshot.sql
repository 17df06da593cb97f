SELECT to_char(taken AT TIME ZONE 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), at, fits, is_current, CASE WHEN fits AND is_current AND at = {at} THEN rows END
  FROM (SELECT c.taken, c.at, c.rows, split_part(c.format, E'\n', 1) = {format} AS fits,
               NOT EXISTS (SELECT FROM {ledger}.journal j
                            WHERE j.version_table = c.version_table
                              AND (j.id::text::numeric > coalesce(substring(split_part(c.format, E'\n', 2) FROM '^[0-9]+$'), '0')::numeric
                                   OR coalesce(j.finished, j.started) > c.taken)
                              AND (j.outcome IN ('done', 'started', 'finished') OR j.direction = 'stamp')) AS is_current
          FROM {ledger}.catalog c WHERE c.version_table = {key}) saved
