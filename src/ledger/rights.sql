WITH place AS (
        SELECT n.oid, n.nspname, p.position FROM ({places}) AS p (name, position) JOIN pg_namespace n ON n.nspname = p.name),
     version AS (
        SELECT c.oid, c.relname, place.oid AS schema, place.nspname
          FROM place JOIN pg_class c ON c.relnamespace = place.oid AND c.relname = {version_name} AND c.relkind IN ('r', 'p')
         ORDER BY place.position LIMIT 1),
     ours AS (
        SELECT 1 AS position, version.oid, version.relname, version.schema, version.nspname FROM version
        UNION ALL
        (SELECT 2, NULL, NULL, place.oid, place.nspname FROM place WHERE NOT EXISTS (SELECT FROM version) ORDER BY place.position LIMIT 1)
        UNION ALL
        SELECT CASE c.relname WHEN 'revision' THEN 3 ELSE 4 END, c.oid, c.relname, n.oid, n.nspname
          FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relname IN ('revision', 'journal') AND c.relkind IN ('r', 'p')
         WHERE n.nspname = {ledger})
SELECT concat('GRANT USAGE ON SCHEMA ', string_agg(quote_ident(lacking.nspname), ', ' ORDER BY lacking.position), ' TO ', quote_ident(current_user))
  FROM (SELECT ours.nspname, min(ours.position) AS position FROM ours WHERE NOT has_schema_privilege(ours.schema, 'USAGE') GROUP BY ours.nspname) AS lacking
HAVING count(*) > 0
UNION ALL
SELECT concat('GRANT ', {rights}, ' ON ', string_agg(format('%I.%I', ours.nspname, ours.relname), ', ' ORDER BY ours.position), ' TO ', quote_ident(current_user))
  FROM ours
 WHERE ours.oid IS NOT NULL AND NOT ({has_rights})
HAVING count(*) > 0
