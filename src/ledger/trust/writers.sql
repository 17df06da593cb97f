{problems}SELECT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END
  FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) g
 WHERE c.oid = to_regclass({revision}) AND g.privilege_type IN ('INSERT', 'UPDATE')
   AND g.grantee NOT IN (SELECT role FROM trusted)
 LIMIT 1
