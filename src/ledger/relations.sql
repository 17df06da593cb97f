SELECT o.oid FROM pg_class o
 WHERE o.relname IN ('revision', 'journal', 'catalog', 'format')
   AND o.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = {ledger})
UNION ALL SELECT {version}
