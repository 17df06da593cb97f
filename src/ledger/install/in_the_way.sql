SELECT 'type', format('%I.%I', n.nspname, t.typname), NULL FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE t.typrelid = 0 AND (n.nspname = {version_schema} AND t.typname = {version_name}
                           OR n.nspname = {ledger} AND t.typname IN ('revision', 'journal', 'catalog', 'format'))
UNION ALL
SELECT 'relation', format('%I.%I', n.nspname, c.relname), NULL FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT {version_exists} AND n.nspname = {version_schema} AND c.relname = textcat({version_name}, '_pkc')
   AND NOT EXISTS (SELECT FROM pg_class v WHERE v.relnamespace = n.oid AND v.relname = {version_name})
 LIMIT 1
