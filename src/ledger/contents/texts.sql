SELECT r.revision, octet_length(t.bytes), s.start - 1, encode(substring(t.bytes FROM s.start FOR {size}), 'escape')
  FROM (SELECT i.revision, i.text FROM {ledger}.revision i
         WHERE i.version_table = {key} AND i.revision IN (SELECT unnest({revisions})) OFFSET 0) AS r
 CROSS JOIN LATERAL (SELECT convert_to(r.text, 'UTF8') AS bytes OFFSET 0) AS t
 CROSS JOIN LATERAL generate_series(1, greatest(octet_length(t.bytes), 1), {size}) AS s (start)
