SELECT n.nspname, has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relname = {name} AND c.relkind = 'r' AND n.nspname <> {here}
   AND EXISTS (SELECT FROM {ledger}.journal j
                WHERE j.version_table = concat(n.nspname, '.', c.relname)
                  AND (j.outcome = 'done' AND j.direction IN ('upgrade', 'downgrade') OR j.outcome = 'noted' AND j.direction = 'stamp'))
 ORDER BY n.nspname
