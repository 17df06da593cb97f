SELECT n.nspname || '.' || c.relname, p.what, pg_get_userbyid(p.role)::text, p.is_owner, c.oid = {version}
  FROM problem p JOIN pg_class c ON c.oid = p.relation JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE p.what IS NOT NULL
 ORDER BY p.is_owner, c.oid <> {version}, n.nspname, c.relname, p.what
