WITH relation AS (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {schema} AND c.relname = {table}),
     found AS (SELECT c.* FROM pg_constraint c WHERE c.conrelid = (SELECT oid FROM relation) AND c.conname = {constraint})
SELECT EXISTS (SELECT FROM relation),
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = (SELECT oid FROM relation) AND a.attname = {column} AND NOT a.attisdropped),
       (SELECT f.conrelid::regclass::text FROM found f WHERE f.contype = 'f'),
       (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.at) FROM found f, unnest(f.conkey) WITH ORDINALITY AS k (number, at), pg_attribute a
         WHERE f.contype = 'f' AND a.attrelid = f.conrelid AND a.attnum = k.number),
       (SELECT f.confrelid::regclass::text FROM found f WHERE f.contype = 'f'),
       (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.at) FROM found f, unnest(f.confkey) WITH ORDINALITY AS k (number, at), pg_attribute a
         WHERE f.contype = 'f' AND a.attrelid = f.confrelid AND a.attnum = k.number),
       (SELECT pg_get_expr(f.conbin, f.conrelid) FROM found f WHERE f.contype = 'c')
