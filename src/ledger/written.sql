SELECT CASE WHEN NOT pg_is_in_recovery() THEN (
       SELECT next - CASE WHEN mod(next, pg_size_bytes(current_setting('wal_segment_size'))) = 40 THEN 40
                          WHEN mod(next, current_setting('wal_block_size')::numeric) = 24 THEN 24
                          ELSE 0 END
         FROM (SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS next) AS written) END
