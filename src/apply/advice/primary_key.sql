SELECT quote_ident(a.attname)
  FROM pg_index i
 CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, at)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
 WHERE i.indisprimary AND i.indrelid = (SELECT t.oid FROM pg_class t JOIN pg_namespace s ON s.oid = t.relnamespace
                                         WHERE t.relname = {table} AND t.relkind IN ('r', 'p') ORDER BY s.nspname <> {schema}, s.nspname LIMIT 1)
 ORDER BY k.at
