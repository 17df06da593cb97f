    c.relkind = 'r' AND c.relpersistence = 'p' AND c.relchecks = 0
AND NOT (c.relhastriggers OR c.relhasrules OR c.relrowsecurity OR c.relhassubclass OR c.relispartition)
AND (SELECT bool_and(a.atttypid < 16384)
            AND (c.oid <> {version}
                 OR NOT bool_or(a.atthasdef) AND bool_or(a.attname = 'version_num' AND a.atttypid IN ('varchar'::regtype, 'text'::regtype)))
       FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL))
AND NOT EXISTS (
    SELECT FROM pg_attrdef d JOIN pg_depend code ON code.classid = 'pg_attrdef'::regclass AND code.objid = d.oid
     WHERE d.adrelid = c.oid AND code.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass))
