INSERT INTO {ledger}.journal AS j
       (version_table, revision, direction, outcome, started, finished, statement, client_host, backend_start, pgmarch, progress)
SELECT {key}, {revision}, {direction}, 'finished', transaction_timestamp(), clock_timestamp(), {statement}, {host}, {backend_start},
       {program}, {progress}
  FROM (SELECT ARRAY(SELECT v.version_num::text FROM {table} v ORDER BY v.version_num::text COLLATE "C") AS rows,
               concat_ws(' ', {identities_now}) AS identities,
               {last_row_now} AS last_row,
               coalesce({last_row}, nullif(current_setting('pgmarch.last_row', true), '')) AS noted_last_row
        OFFSET 0) AS now
 WHERE CASE WHEN now.rows = {rows} AND now.identities = {identities} AND now.last_row = now.noted_last_row THEN true
            ELSE concat({changed}, ': expected version ', coalesce(nullif(array_to_string({rows}, ', '), ''), 'base'),
                        ', found ', coalesce(nullif(array_to_string(now.rows, ', '), ''), 'base'),
                        ' [they were ', {identities}, ' ', now.noted_last_row, ']')::boolean END
RETURNING set_config('pgmarch.last_row', concat(j.id, j.ctid, j.xmin), {until_commit})
