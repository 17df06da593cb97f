SELECT concat(n.nspname, '.', c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname IN ({version_schema}, {first})
   AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
   AND c.oid IS DISTINCT FROM to_regclass({version})
   AND NOT (n.nspname = {ledger} AND c.relname IN ('revision', 'journal', 'catalog', 'format'))
   AND NOT EXISTS (
        SELECT FROM pg_depend d
         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
           AND (d.deptype = 'e' OR c.relkind = 'S' AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
 ORDER BY n.nspname, c.relkind, c.relname
 LIMIT 1
