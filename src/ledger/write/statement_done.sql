INSERT INTO {ledger}.journal AS j
       (version_table, revision, direction, outcome, started, finished, statement, client_host, backend_start, pgmarch, progress)
SELECT {key}, {revision}, {direction}, 'finished', transaction_timestamp(), clock_timestamp(), {statement}, {host}, {backend_start},
       {program}, {progress}
  FROM (SELECT coalesce(array_agg(v.version_num::text ORDER BY v.version_num::text COLLATE "C"), '{}') AS rows FROM {table} v) AS found,
       (SELECT coalesce({last_row}, nullif(current_setting('pgmarch.last_row', true), '')) AS last_row) AS noted,
       (SELECT concat_ws(' ', {identities_now}) AS identities, {last_row_now} AS last_row) AS now
 WHERE CASE WHEN found.rows = {rows} AND now.identities = {identities} AND now.last_row = noted.last_row THEN true
            ELSE concat({changed}, ': expected version ', coalesce(nullif(array_to_string({rows}, ', '), ''), 'base'),
                        ', found ', coalesce(nullif(array_to_string(found.rows, ', '), ''), 'base'),
                        ' [they were ', {identities}, ' ', noted.last_row, ']')::boolean END
RETURNING j.id, j.backend_pid, concat({identities}, ' ', set_config('pgmarch.last_row', concat(j.id, j.ctid, j.xmin), {until_commit})), j.finished, j.statement
