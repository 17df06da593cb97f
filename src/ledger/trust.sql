-- What of our tables can't be trusted, one row for each reason: the relation, what is wrong, whose it is, and whether it is
-- the owner alone.
--
-- A role is trusted that is us (the login, or the role that was set), a superuser, the database's owner, named by the
-- settings, or granted to us: by a member whom we trust, or by somebody who has power over that member anyway. Up to
-- PostgreSQL 14 any login may grant itself to any other role, which makes nobody trusted. pg_has_role() can't be asked: of a
-- superuser it says yes for every role.
WITH RECURSIVE
base (role) AS (
    SELECT oid FROM pg_roles
     WHERE rolsuper OR rolname IN (current_user, session_user, 'pg_database_owner') OR rolname = ANY ({owners})
    UNION SELECT datdba FROM pg_database WHERE datname = current_database()
),
granted (role) AS (
    SELECT oid FROM pg_roles WHERE rolname IN (current_user, session_user)
    UNION
    SELECT m.roleid
      FROM granted g
      JOIN pg_auth_members m ON m.member = g.role
      JOIN pg_roles member ON member.oid = m.member
      LEFT JOIN pg_roles grantor ON grantor.oid = m.grantor
     WHERE grantor.oid IS NULL
        OR m.grantor = m.member
        OR m.grantor IN (SELECT role FROM base)
        OR current_setting('server_version_num')::integer < 160000 AND grantor.rolcreaterole AND NOT member.rolsuper
        OR current_setting('server_version_num')::integer >= 160000
           AND EXISTS (SELECT FROM pg_auth_members a WHERE a.roleid = m.member AND a.member = m.grantor AND a.admin_option)
),
trusted (role) AS (SELECT role FROM base UNION SELECT role FROM granted),
relation AS (SELECT * FROM pg_class c WHERE c.oid = ANY {relations}),
-- What belongs to a relation, and what that uses; of what a rule writes to, the same. What a function calls is the business
-- of the function's owner.
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
    -- Its cascade updates the other table, whose triggers then run as us.
    UNION ALL
    SELECT k.confrelid, pg_describe_object('pg_constraint'::regclass, k.oid, 0), o.relowner
      FROM relation r JOIN pg_constraint k ON k.confrelid = r.oid AND k.contype = 'f' JOIN pg_class o ON o.oid = k.conrelid
     WHERE r.relhastriggers
),
problem (relation, what, role, is_owner) AS (
    SELECT oid,
           CASE WHEN relkind <> 'r' THEN 'it is ' || CASE relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view'
                    WHEN 'S' THEN 'a sequence' WHEN 'f' THEN 'a foreign table' WHEN 'p' THEN 'a partitioned table'
                    WHEN 'c' THEN 'a composite type' WHEN 'i' THEN 'an index' WHEN 'I' THEN 'an index' ELSE 'not a table' END
                WHEN relpersistence = 't' THEN 'it is a temporary table'
                WHEN relispartition THEN 'it is a partition'
                WHEN EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = relation.oid) THEN 'it has child tables'
                WHEN oid = {version} AND NOT EXISTS (
                    SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                     WHERE a.attrelid = relation.oid AND a.attname = 'version_num' AND NOT a.attisdropped
                       AND t.typnamespace = 'pg_catalog'::regnamespace) THEN 'it has no column version_num of a type in pg_catalog'
           END, relowner, false
      FROM relation
    UNION ALL
    SELECT relation, 'it runs code of another role: ' || what, role, false FROM owned WHERE role NOT IN (SELECT trusted.role FROM trusted)
    UNION ALL
    SELECT oid, 'its owner is another role', relowner, true FROM relation WHERE relowner NOT IN (SELECT trusted.role FROM trusted)
)
