SELECT n.nspname, quote_ident(n.nspname), n.nspname = ANY (p.path), coalesce(l.locks, 0)
  FROM pg_namespace n
 CROSS JOIN (SELECT ARRAY(SELECT json_array_elements_text(current_setting('pgmarch.schemas')::json)) AS path) p
  LEFT JOIN (SELECT owner.nsp, count(DISTINCT d.refobjid) AS locks
               FROM (SELECT 'pg_rewrite'::regclass AS class, r.oid AS id, c.relnamespace AS nsp
                       FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
                      UNION ALL
                     SELECT 'pg_proc'::regclass, f.oid, f.pronamespace FROM pg_proc f JOIN pg_language g ON g.oid = f.prolang
                      WHERE g.lanname = 'sql') owner
               JOIN pg_depend d ON d.classid = owner.class AND d.objid = owner.id AND d.refclassid = 'pg_class'::regclass
              GROUP BY owner.nsp) l ON l.nsp = n.oid
 WHERE {own}
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid AND e.deptype = 'e')
 ORDER BY n.nspname
