SELECT CASE WHEN EXISTS (
    SELECT FROM pg_class c
     WHERE c.oid IN ({relations})
       AND (c.relkind <> 'r' OR c.relhastriggers OR c.relhasrules OR c.relrowsecurity OR c.relhassubclass
            OR pg_get_userbyid(c.relowner) <> ALL ({owners})))
    OR EXISTS (
    SELECT FROM pg_namespace n
     WHERE n.nspname IN ({version_schema}, {ledger}) AND pg_get_userbyid(n.nspowner) <> ALL ({owners}))
  THEN concat({untrusted})::integer END
