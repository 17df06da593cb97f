WITH RECURSIVE
base (role) AS (
    SELECT oid FROM pg_roles
     WHERE rolsuper OR rolname IN (current_user, session_user, 'pg_database_owner') OR rolname = ANY ({owners})
    UNION SELECT datdba FROM pg_database WHERE datname = current_database()
),
belongs (member, role) AS (
    SELECT oid, oid FROM pg_roles
    UNION SELECT b.member, m.roleid FROM belongs b JOIN pg_auth_members m ON m.member = b.role
),
granted (role) AS (
    SELECT oid FROM pg_roles WHERE rolname IN (current_user, session_user)
    UNION
    SELECT m.roleid
      FROM granted g
      JOIN pg_auth_members m ON m.member = g.role
      JOIN pg_roles member ON member.oid = m.member
      JOIN pg_roles grantor ON grantor.oid = m.grantor
     WHERE m.grantor = m.member
        OR m.grantor IN (SELECT role FROM base)
        OR current_setting('server_version_num')::integer < 160000 AND grantor.rolcreaterole AND NOT member.rolsuper
        OR current_setting('server_version_num')::integer >= 160000
           AND EXISTS (SELECT FROM belongs b JOIN pg_auth_members a ON a.member = b.role AND a.admin_option
                        WHERE b.member = m.grantor AND a.roleid = m.member)
),
trusted (role) AS (SELECT role FROM base UNION SELECT role FROM granted),
relation AS (SELECT * FROM pg_class c WHERE c.oid = ANY {relations}),
part (relation, class, object) AS (
    SELECT oid, 'pg_class'::regclass::oid, oid FROM relation
    UNION
    SELECT p.relation, next.class, next.object
      FROM part p
     CROSS JOIN LATERAL (
        SELECT d.classid, d.objid FROM pg_depend d
         WHERE d.refclassid = p.class AND d.refobjid = p.object AND d.deptype IN ('a', 'i', 'P', 'S')
           AND p.class IN ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_type'::regclass)
           AND d.classid IN ('pg_class'::regclass, 'pg_constraint'::regclass, 'pg_type'::regclass, 'pg_attrdef'::regclass,
                             'pg_trigger'::regclass, 'pg_rewrite'::regclass, 'pg_policy'::regclass)
        UNION ALL
        SELECT d.refclassid, d.refobjid FROM pg_depend d
         WHERE d.classid = p.class AND d.objid = p.object AND p.class <> 'pg_proc'::regclass
           AND (d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass, 'pg_type'::regclass)
                OR d.refclassid = 'pg_class'::regclass AND p.class = 'pg_rewrite'::regclass)
        UNION ALL
        SELECT 'pg_class'::regclass, k.conrelid FROM pg_constraint k
         WHERE p.class = 'pg_class'::regclass AND k.confrelid = p.object AND k.contype = 'f'
     ) next (class, object)
),
owned (relation, what, role) AS (
    SELECT p.relation, pg_describe_object(p.class, p.object, 0), owner.role
      FROM part p
     CROSS JOIN LATERAL (
        SELECT proowner FROM pg_proc WHERE p.class = 'pg_proc'::regclass AND oid = p.object
        UNION ALL SELECT oprowner FROM pg_operator WHERE p.class = 'pg_operator'::regclass AND oid = p.object
        UNION ALL SELECT opcowner FROM pg_opclass WHERE p.class = 'pg_opclass'::regclass AND oid = p.object
        UNION ALL SELECT typowner FROM pg_type WHERE p.class = 'pg_type'::regclass AND oid = p.object AND typtype IN ('d', 'r', 'm')
        UNION ALL SELECT typowner FROM pg_type WHERE p.class = 'pg_type'::regclass AND oid = p.object AND typtype = 'b' AND typelem = 0
        UNION ALL SELECT relowner FROM pg_class
                   WHERE p.class = 'pg_class'::regclass AND oid = p.object AND oid <> p.relation AND relkind IN ('r', 'p', 'v', 'm', 'f')
     ) owner (role)
),
trigger (relation, what, role) AS (
    SELECT p.relation, pg_describe_object('pg_trigger'::regclass, t.oid, 0), c.relowner
      FROM part p
      JOIN pg_trigger t ON p.class = 'pg_trigger'::regclass AND t.oid = p.object AND NOT t.tgisinternal
      JOIN pg_class c ON c.oid = t.tgrelid
      JOIN pg_proc f ON f.oid = t.tgfoid
     WHERE f.pronamespace = 'pg_catalog'::regnamespace
        OR strpos(t.tgqual::text, '{FUNCEXPR') > 0
        OR t.tgnargs > 0 AND EXISTS (
            SELECT FROM aclexplode(c.relacl) g WHERE g.privilege_type = 'TRIGGER' AND g.grantee NOT IN (SELECT trusted.role FROM trusted))
),
problem (name, is_version, what, role, is_owner, is_optional) AS (
    SELECT n.nspname || '.' || r.relname, r.oid = {version}, found.what, found.role, found.is_owner,
           r.oid <> {version} AND r.relname IN ('catalog', 'format')
      FROM relation r JOIN pg_namespace n ON n.oid = r.relnamespace
     CROSS JOIN LATERAL (
        SELECT CASE WHEN r.relkind <> 'r' THEN 'it is ' || CASE r.relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view'
                         WHEN 'S' THEN 'a sequence' WHEN 'f' THEN 'a foreign table' WHEN 'p' THEN 'a partitioned table'
                         WHEN 'c' THEN 'a composite type' WHEN 'i' THEN 'an index' WHEN 'I' THEN 'an index' ELSE 'not a table' END
                    WHEN r.relpersistence = 't' THEN 'it is a temporary table'
                    WHEN r.relpersistence = 'u' THEN 'it is UNLOGGED, so a crash of the server would empty it'
                    WHEN r.relispartition THEN 'it is a partition'
                    WHEN EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = r.oid) THEN 'it has child tables'
                    WHEN r.oid = {version} AND NOT EXISTS (
                        SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                         WHERE a.attrelid = r.oid AND a.attname = 'version_num' AND NOT a.attisdropped
                           AND t.typnamespace = 'pg_catalog'::regnamespace) THEN 'it has no column version_num of a type in pg_catalog'
               END, r.relowner, false, false
        UNION ALL SELECT 'a role with the right TRIGGER could have created what runs any query: ' || t.what, t.role, false, false
                    FROM trigger t WHERE t.relation = r.oid
        UNION ALL SELECT 'it runs code of another role: ' || o.what, o.role, true, false FROM owned o WHERE o.relation = r.oid
        UNION ALL SELECT 'its owner is another role', r.relowner, true, true
        UNION ALL SELECT 'the owner of its schema is another role', n.nspowner, true, true
     ) found (what, role, is_of_role, is_owner)
     WHERE found.what IS NOT NULL AND (NOT found.is_of_role OR found.role NOT IN (SELECT trusted.role FROM trusted))
    UNION ALL
    SELECT n.nspname, false, 'the owner of this schema is another role', n.nspowner, true, false
      FROM pg_namespace n
     WHERE n.nspname IN ({version_place}, {ledger}) AND n.nspowner NOT IN (SELECT trusted.role FROM trusted)
       AND NOT EXISTS (SELECT FROM relation r WHERE r.relnamespace = n.oid)
)
