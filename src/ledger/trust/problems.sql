SELECT p.name, p.what, pg_get_userbyid(p.role)::text, p.is_owner, p.is_version, p.is_optional
  FROM problem p
 ORDER BY p.is_owner, NOT p.is_version, p.name, p.what
