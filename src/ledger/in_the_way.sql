-- A type that is no table's has the name of a table that would have to be created.
SELECT format('%I.%I', n.nspname, t.typname) FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE t.typrelid = 0 AND (n.nspname = {version_schema} AND t.typname = {version_name}
                           OR n.nspname = {ledger} AND t.typname IN ('revision', 'journal', 'catalog', 'format'))
 LIMIT 1
