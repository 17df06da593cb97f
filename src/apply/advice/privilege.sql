WITH words AS (SELECT word, at FROM regexp_split_to_table({message}, '[^[:alnum:]_$]+') WITH ORDINALITY AS w (word, at) WHERE word <> ''),
     objects AS (
        SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
                    WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' ELSE 'TABLE' END AS kind,
               format('%I.%I', n.nspname, c.relname) AS name, c.relname AS bare, c.relowner AS owner, n.nspname AS schema,
               CASE WHEN c.relkind = 'S' THEN CASE WHEN NOT has_sequence_privilege({role}, c.oid, 'USAGE') THEN 'USAGE' END
                    WHEN c.relkind IN ('i', 'I') THEN NULL
                    ELSE (SELECT string_agg(p, ', ') FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES']) AS p
                           WHERE NOT has_table_privilege({role}, c.oid, p)) END AS missing,
               c.relrowsecurity AS rows
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I') AND c.relname IN (SELECT word FROM words)
        UNION ALL
        SELECT 'SCHEMA', quote_ident(n.nspname), n.nspname, n.nspowner, n.nspname,
               concat_ws(', ', CASE WHEN NOT has_schema_privilege({role}, n.oid, 'USAGE') THEN 'USAGE' END,
                               CASE WHEN NOT has_schema_privilege({role}, n.oid, 'CREATE') THEN 'CREATE' END), false
          FROM pg_namespace n WHERE n.nspname IN (SELECT word FROM words)
        UNION ALL
        SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
               p.proname, p.proowner, n.nspname, CASE WHEN NOT has_function_privilege({role}, p.oid, 'EXECUTE') THEN 'EXECUTE' END, false
          FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proname IN (SELECT word FROM words)
        UNION ALL
        SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, format('%I.%I', n.nspname, t.typname), t.typname, t.typowner, n.nspname,
               CASE WHEN NOT has_type_privilege({role}, t.oid, 'USAGE') THEN 'USAGE' END, false
          FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
         WHERE t.typtype IN ('b', 'd', 'e', 'r') AND t.typelem = 0 AND t.typname IN (SELECT word FROM words)
        UNION ALL
        SELECT 'DATABASE', quote_ident(d.datname), d.datname, d.datdba, NULL, CASE WHEN NOT has_database_privilege({role}, d.oid, 'CREATE') THEN 'CREATE' END, false
          FROM pg_database d WHERE d.datname = current_database() AND d.datname IN (SELECT word FROM words)
        UNION ALL
        SELECT 'LANGUAGE', quote_ident(l.lanname), l.lanname, l.lanowner, NULL, CASE WHEN NOT has_language_privilege({role}, l.oid, 'USAGE') THEN 'USAGE' END, false
          FROM pg_language l WHERE l.lanname IN (SELECT word FROM words)
        UNION ALL
        SELECT 'FOREIGN SERVER', quote_ident(s.srvname), s.srvname, s.srvowner, NULL, CASE WHEN NOT has_server_privilege({role}, s.oid, 'USAGE') THEN 'USAGE' END, false
          FROM pg_foreign_server s WHERE s.srvname IN (SELECT word FROM words)
        UNION ALL
        SELECT 'TABLESPACE', quote_ident(s.spcname), s.spcname, s.spcowner, NULL, CASE WHEN NOT has_tablespace_privilege({role}, s.oid, 'CREATE') THEN 'CREATE' END, false
          FROM pg_tablespace s WHERE s.spcname IN (SELECT word FROM words)
     )
SELECT o.kind, o.name, o.bare, quote_ident(pg_get_userbyid(o.owner)), o.missing, o.rows, (SELECT r.rolsuper FROM pg_roles r WHERE r.oid = o.owner)
  FROM objects o
 WHERE NOT pg_has_role({role}, o.owner, 'USAGE')
 ORDER BY strpos(lower({statement}), lower(o.bare)) > 0 DESC, (SELECT max(w.at) FROM words w WHERE w.word = o.bare) DESC,
          o.schema IS NOT NULL AND strpos(lower({statement}), lower(o.schema) || '.') > 0 DESC, o.schema = 'public' DESC, o.missing IS NULL, o.kind
 LIMIT 1
