SELECT r.revision, octet_length(t.bytes), s.start - 1, encode(substring(t.bytes FROM s.start FOR {size}), 'escape')
  FROM {ledger}.revision r
 CROSS JOIN LATERAL (SELECT convert_to(r.text, 'UTF8') AS bytes OFFSET 0) AS t
 CROSS JOIN LATERAL generate_series(1, greatest(octet_length(t.bytes), 1), {size}) AS s (start)
 WHERE r.version_table = {key} AND r.revision = ANY ({revisions})
