SELECT json_build_object(
    'id', json_build_array('pg_namespace', n.oid::int8, 0),
    'name', quote_ident(n.nspname), 'shown', quote_ident(n.nspname),
    'owner', nullif(quote_ident(pg_get_userbyid(n.nspowner)), quote_ident(current_user)),
    'grants', {schema_grants},
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_namespace'::regclass AND remark.objoid = n.oid AND remark.objsubid = 0),
    'definition', json_build_object('schema', json_build_object()))
  FROM pg_namespace n
 WHERE {own} AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid AND e.deptype = 'e');

SELECT json_build_object(
    'id', json_build_array('pg_extension', x.oid::int8, 0),
    'name', quote_ident(x.extname), 'shown', quote_ident(x.extname),
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_extension'::regclass AND remark.objoid = x.oid AND remark.objsubid = 0),
    'definition', json_build_object('extension', json_build_object(
        'version', x.extversion, 'schema', quote_ident(n.nspname),
        'usual_comment', (SELECT a.comment FROM pg_available_extensions a WHERE a.name = x.extname AND x.extname <> 'plpgsql'))))
  FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace;

SELECT json_build_object(
    'id', json_build_array('pg_type', t.oid::int8, 0),
    'name', quote_ident(n.nspname) || '.' || quote_ident(t.typname), 'shown', format_type(t.oid, NULL),
    'owner', nullif(quote_ident(pg_get_userbyid(t.typowner)), quote_ident(current_user)),
    'grants', {type_grants},
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_type'::regclass AND remark.objoid = t.oid AND remark.objsubid = 0),
    'definition', CASE t.typtype
        WHEN 'e' THEN json_build_object('enum', json_build_object('labels',
            (SELECT coalesce(json_agg(l.enumlabel ORDER BY l.enumsortorder), '[]') FROM pg_enum l WHERE l.enumtypid = t.oid)))
        WHEN 'c' THEN json_build_object('composite', json_build_object('attributes',
            (SELECT coalesce(json_agg(json_build_object(
                'name', quote_ident(a.attname), 'type', format_type(a.atttypid, a.atttypmod),
                'collation', CASE WHEN a.attcollation <> b.typcollation THEN a.attcollation::regcollation::text END,
                'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_class'::regclass AND remark.objoid = a.attrelid AND remark.objsubid = a.attnum)) ORDER BY a.attnum), '[]')
               FROM pg_attribute a JOIN pg_type b ON b.oid = a.atttypid
              WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)))
        WHEN 'r' THEN (SELECT json_build_object('range', json_build_object('options', array_to_json(array_remove(ARRAY[
                'subtype = ' || format_type(r.rngsubtype, NULL),
                CASE WHEN NOT o.opcdefault THEN 'subtype_opclass = ' || quote_ident(op.nspname) || '.' || quote_ident(o.opcname) END,
                CASE WHEN r.rngcollation <> s.typcollation THEN 'collation = ' || r.rngcollation::regcollation::text END,
                CASE WHEN r.rngcanonical <> 0 THEN 'canonical = ' || r.rngcanonical::regproc::text END,
                CASE WHEN r.rngsubdiff <> 0 THEN 'subtype_diff = ' || r.rngsubdiff::regproc::text END,
                {multirange}], NULL))))
              FROM pg_range r JOIN pg_type s ON s.oid = r.rngsubtype JOIN pg_opclass o ON o.oid = r.rngsubopc
              JOIN pg_namespace op ON op.oid = o.opcnamespace WHERE r.rngtypid = t.oid)
        ELSE json_build_object('domain', json_build_object(
            'base', format_type(t.typbasetype, t.typtypmod),
            'collation', (SELECT t.typcollation::regcollation::text FROM pg_type b WHERE b.oid = t.typbasetype AND b.typcollation <> t.typcollation),
            'default', coalesce(pg_get_expr(t.typdefaultbin, 'pg_type'::regclass), t.typdefault), 'not_null', t.typnotnull)) END)
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE {own} AND (t.typtype IN ('e', 'r', 'd') OR t.typtype = 'c' AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e');

SELECT json_build_object(
    'id', json_build_array('pg_class', c.oid::int8, 0),
    'name', quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'shown', c.oid::regclass,
    'owner', nullif(quote_ident(pg_get_userbyid(c.relowner)), quote_ident(current_user)),
    'grants', {relation_grants},
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_class'::regclass AND remark.objoid = c.oid AND remark.objsubid = 0),
    'definition', CASE
        WHEN c.relkind = 'S' THEN (SELECT json_build_object('sequence', json_build_object(
            'numbers', json_build_object('type', format_type(s.seqtypid, NULL), 'start', s.seqstart, 'increment', s.seqincrement,
                'min', s.seqmin, 'max', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle),
            'unlogged', c.relpersistence = 'u',
            'owned_by', (SELECT json_build_array(quote_ident(tn.nspname) || '.' || quote_ident(tc.relname), d.refobjid::regclass, quote_ident(a.attname))
                           FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                           JOIN pg_class tc ON tc.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = tc.relnamespace
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a')))
              FROM pg_sequence s WHERE s.seqrelid = c.oid)
        WHEN c.relkind IN ('v', 'm') THEN json_build_object('view', json_build_object(
            'materialized', c.relkind = 'm', 'populated', c.relispopulated,
            'definition', pg_get_viewdef(c.oid), 'options', to_json(coalesce(c.reloptions, '{}')),
            'access_method', (SELECT m.amname FROM pg_am m WHERE m.oid = c.relam AND m.amname <> 'heap'),
            'clustered_on', (SELECT quote_ident(x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisclustered),
            'columns', (SELECT json_agg(json_build_object(
                    'name', quote_ident(a.attname), 'type', format_type(a.atttypid, a.atttypmod),
                    'collation', CASE WHEN a.attcollation <> b.typcollation THEN a.attcollation::regcollation::text END,
                    'default', (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum),
                    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_class'::regclass AND remark.objoid = a.attrelid AND remark.objsubid = a.attnum),
                    'grants', {column_grants},
                    'settings', CASE WHEN c.relkind = 'm' AND (a.attstorage <> b.typstorage OR {compression} IS NOT NULL OR a.attstattarget >= 0 OR a.attoptions IS NOT NULL) THEN json_build_object(
                        'storage', CASE WHEN a.attstorage <> b.typstorage THEN CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'm' THEN 'MAIN' WHEN 'e' THEN 'EXTERNAL' ELSE 'EXTENDED' END END,
                        'usual_storage', CASE b.typstorage WHEN 'p' THEN 'PLAIN' WHEN 'm' THEN 'MAIN' WHEN 'e' THEN 'EXTERNAL' ELSE 'EXTENDED' END,
                        'compression', {compression}, 'statistics', nullif(a.attstattarget, -1), 'options', to_json(coalesce(a.attoptions, '{}'))) END) ORDER BY a.attnum)
                  FROM pg_attribute a JOIN pg_type b ON b.oid = a.atttypid
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)))
        ELSE json_build_object('table', json_build_object(
            'unlogged', c.relpersistence = 'u',
            'partition_key', pg_get_partkeydef(c.oid),
            'bound', pg_get_expr(c.relpartbound, c.oid),
            'parents', (SELECT coalesce(json_agg(json_build_array(quote_ident(pn.nspname) || '.' || quote_ident(p.relname), p.oid::regclass) ORDER BY i.inhseqno), '[]')
                          FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE i.inhrelid = c.oid),
            'replica_identity', CASE c.relreplident WHEN 'd' THEN 'DEFAULT' WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
                ELSE coalesce('USING INDEX ' || (SELECT quote_ident(x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisreplident), 'NOTHING') END,
            'clustered_on', (SELECT quote_ident(x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid AND i.indisclustered),
            'options', (SELECT coalesce(json_agg(o ORDER BY o), '[]') FROM (
                          SELECT unnest(c.reloptions) UNION ALL
                          SELECT 'toast.' || unnest(x.reloptions) FROM pg_class x WHERE x.oid = c.reltoastrelid) o (o)),
            'row_security', c.relrowsecurity, 'force_row_security', c.relforcerowsecurity,
            'access_method', (SELECT m.amname FROM pg_am m WHERE m.oid = c.relam AND m.amname <> 'heap'))) END)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE {own} AND c.relkind IN ('r', 'p', 'v', 'm', 'S') AND c.reloftype = 0 AND NOT (n.nspname = {version_schema} AND c.relname = {version_name})
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid
                    AND (e.deptype = 'e' OR e.deptype = 'i' AND c.relkind = 'S'));

SELECT json_build_object(
    'id', json_build_array('pg_class', c.oid::int8, a.attnum), 'parent', json_build_array('pg_class', c.oid::int8, 0),
    'name', quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || quote_ident(a.attname), 'shown', quote_ident(a.attname),
    'grants', {column_grants},
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_class'::regclass AND remark.objoid = c.oid AND remark.objsubid = a.attnum),
    'definition', json_build_object('column', json_build_object(
        'type', format_type(a.atttypid, a.atttypmod),
        'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation::text END,
        'not_null', CASE WHEN a.attnotnull THEN {not_null} END,
        'identity', CASE WHEN a.attidentity <> '' THEN (
            SELECT json_build_object('always', a.attidentity = 'a', 'sequence', s.seqrelid::regclass,
                'numbers', json_build_object('type', format_type(s.seqtypid, NULL), 'start', s.seqstart, 'increment', s.seqincrement,
                    'min', s.seqmin, 'max', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle),
                'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_class'::regclass AND remark.objoid = s.seqrelid AND remark.objsubid = 0),
                'grants', {identity_grants})
              FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid JOIN pg_class q ON q.oid = s.seqrelid
             WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype = 'i') END,
        'generated', CASE WHEN a.attgenerated <> '' THEN json_build_array(a.attgenerated::text, pg_get_expr(f.adbin, f.adrelid)) END,
        'storage', CASE WHEN a.attstorage <> t.typstorage THEN CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'm' THEN 'MAIN' WHEN 'e' THEN 'EXTERNAL' ELSE 'EXTENDED' END END,
        'usual_storage', CASE t.typstorage WHEN 'p' THEN 'PLAIN' WHEN 'm' THEN 'MAIN' WHEN 'e' THEN 'EXTERNAL' ELSE 'EXTENDED' END,
        'compression', {compression},
        'statistics', nullif(a.attstattarget, -1),
        'options', to_json(coalesce(a.attoptions, '{}')),
        'inherited', a.attinhcount > 0 AND NOT a.attislocal)))
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
 WHERE {own} AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped;

SELECT json_build_object(
    'id', json_build_array('pg_attrdef', f.oid::int8, 0), 'parent', json_build_array('pg_class', c.oid::int8, a.attnum),
    'name', quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || quote_ident(a.attname), 'shown', quote_ident(a.attname),
    'definition', json_build_object('default', json_build_object('expression', pg_get_expr(f.adbin, 0))))
  FROM pg_attrdef f JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
  JOIN pg_class c ON c.oid = f.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE {own} AND c.relkind IN ('r', 'p') AND a.attgenerated = '';

SELECT json_build_object(
    'id', json_build_array('pg_constraint', k.oid::int8, 0),
    'parent', CASE WHEN k.contypid <> 0 THEN json_build_array('pg_type', k.contypid::int8, 0) ELSE json_build_array('pg_class', k.conrelid::int8, 0) END,
    'name', quote_ident(n.nspname) || '.' || coalesce((SELECT quote_ident(c.relname) FROM pg_class c WHERE c.oid = k.conrelid),
        (SELECT quote_ident(t.typname) FROM pg_type t WHERE t.oid = k.contypid)) || '.' || quote_ident(k.conname), 'shown', quote_ident(k.conname),
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_constraint'::regclass AND remark.objoid = k.oid AND remark.objsubid = 0),
    'definition', json_build_object('constraint', json_build_object(
        'kind', k.contype::text, 'definition', pg_get_constraintdef(k.oid),
        'index_options', (SELECT to_json(coalesce(x.reloptions, '{}')) FROM pg_class x WHERE x.oid = k.conindid AND k.contype <> 'f'))))
  FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
 WHERE {own} AND k.contype IN ('p', 'u', 'c', 'x', 'f') AND k.conparentid = 0 AND (k.conislocal OR k.coninhcount = 0);

SELECT json_build_object(
    'id', json_build_array('pg_class', x.oid::int8, 0), 'parent', json_build_array('pg_class', i.indrelid::int8, 0),
    'name', quote_ident(n.nspname) || '.' || quote_ident(x.relname), 'shown', x.oid::regclass,
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_class'::regclass AND remark.objoid = x.oid AND remark.objsubid = 0),
    'definition', json_build_object('index', json_build_object(
        'table', i.indrelid::regclass, 'definition', replace(pg_get_indexdef(x.oid), ' ' || quote_ident(tn.nspname) || '.' || quote_ident(t.relname) || ' USING ', ' ' || t.oid::regclass::text || ' USING '), 'unique', i.indisunique,
        'valid', i.indisvalid OR x.relkind = 'I',
        'statistics', (SELECT coalesce(json_agg(json_build_array(a.attnum, a.attstattarget) ORDER BY a.attnum), '[]')
                         FROM pg_attribute a WHERE a.attrelid = x.oid AND a.attstattarget >= 0))))
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = x.relnamespace
  JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
 WHERE {own} AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = x.oid)
   AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x'));

SELECT json_build_object(
    'id', json_build_array('pg_proc', p.oid::int8, 0),
    'name', quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')', 'shown', p.oid::regprocedure,
    'owner', nullif(quote_ident(pg_get_userbyid(p.proowner)), quote_ident(current_user)),
    'grants', {routine_grants},
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_proc'::regclass AND remark.objoid = p.oid AND remark.objsubid = 0),
    'definition', json_build_object('routine', json_build_object(
        'kind', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
        'definition', pg_get_functiondef(p.oid), 'schema', quote_ident(n.nspname),
        'arguments', pg_get_function_arguments(p.oid), 'result', pg_get_function_result(p.oid),
        'language', l.lanname, 'security_definer', p.prosecdef, 'trigger', p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype))))
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
 WHERE {own} AND p.prokind IN ('f', 'p', 'w')
   AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype IN ('e', 'i'));

SELECT json_build_object(
    'id', json_build_array('pg_proc', p.oid::int8, 0),
    'name', quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')', 'shown', p.oid::regprocedure,
    'owner', nullif(quote_ident(pg_get_userbyid(p.proowner)), quote_ident(current_user)),
    'grants', {routine_grants},
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_proc'::regclass AND remark.objoid = p.oid AND remark.objsubid = 0),
    'definition', json_build_object('aggregate', json_build_object(
        'arguments', CASE WHEN pg_get_function_arguments(p.oid) = '' THEN '*' ELSE pg_get_function_arguments(p.oid) END,
        'options', array_to_json(array_remove(ARRAY[
            'SFUNC = ' || g.aggtransfn::regproc::text, 'STYPE = ' || format_type(g.aggtranstype, NULL),
            'SSPACE = ' || nullif(g.aggtransspace, 0)::text,
            CASE WHEN g.aggfinalfn <> 0 THEN 'FINALFUNC = ' || g.aggfinalfn::regproc::text END,
            CASE WHEN g.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
            CASE WHEN g.aggfinalfn <> 0 AND g.aggfinalmodify <> (CASE g.aggkind WHEN 'n' THEN 'r' ELSE 'w' END)
                 THEN 'FINALFUNC_MODIFY = ' || CASE g.aggfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
            CASE WHEN g.aggcombinefn <> 0 THEN 'COMBINEFUNC = ' || g.aggcombinefn::regproc::text END,
            CASE WHEN g.aggserialfn <> 0 THEN 'SERIALFUNC = ' || g.aggserialfn::regproc::text END,
            CASE WHEN g.aggdeserialfn <> 0 THEN 'DESERIALFUNC = ' || g.aggdeserialfn::regproc::text END,
            'INITCOND = ' || quote_literal(g.agginitval),
            CASE WHEN g.aggmtransfn <> 0 THEN 'MSFUNC = ' || g.aggmtransfn::regproc::text END,
            CASE WHEN g.aggminvtransfn <> 0 THEN 'MINVFUNC = ' || g.aggminvtransfn::regproc::text END,
            CASE WHEN g.aggmtranstype <> 0 THEN 'MSTYPE = ' || format_type(g.aggmtranstype, NULL) END,
            'MSSPACE = ' || nullif(g.aggmtransspace, 0)::text,
            CASE WHEN g.aggmfinalfn <> 0 THEN 'MFINALFUNC = ' || g.aggmfinalfn::regproc::text END,
            CASE WHEN g.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END,
            CASE WHEN g.aggmfinalfn <> 0 AND g.aggmfinalmodify <> (CASE g.aggkind WHEN 'n' THEN 'r' ELSE 'w' END)
                 THEN 'MFINALFUNC_MODIFY = ' || CASE g.aggmfinalmodify WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
            'MINITCOND = ' || quote_literal(g.aggminitval),
            CASE WHEN g.aggsortop <> 0 THEN 'SORTOP = OPERATOR(' || (SELECT quote_ident(s.nspname) || '.' || o.oprname::text FROM pg_operator o JOIN pg_namespace s ON s.oid = o.oprnamespace WHERE o.oid = g.aggsortop) || ')' END,
            CASE p.proparallel WHEN 's' THEN 'PARALLEL = SAFE' WHEN 'r' THEN 'PARALLEL = RESTRICTED' END,
            CASE WHEN g.aggkind = 'h' THEN 'HYPOTHETICAL' END], NULL)))))
  FROM pg_proc p JOIN pg_aggregate g ON g.aggfnoid = p.oid JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE {own} AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e');

SELECT json_build_object(
    'id', json_build_array('pg_trigger', t.oid::int8, 0), 'parent', json_build_array('pg_class', t.tgrelid::int8, 0),
    'name', quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || quote_ident(t.tgname), 'shown', quote_ident(t.tgname),
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_trigger'::regclass AND remark.objoid = t.oid AND remark.objsubid = 0),
    'definition', json_build_object('trigger', json_build_object('definition', replace(pg_get_triggerdef(t.oid), ' ON ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' ', ' ON ' || c.oid::regclass::text || ' '), 'enabled', t.tgenabled::text)))
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE {own} AND NOT t.tgisinternal AND t.tgparentid = 0;

SELECT json_build_object(
    'id', json_build_array('pg_rewrite', r.oid::int8, 0), 'parent', json_build_array('pg_class', r.ev_class::int8, 0),
    'name', quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || quote_ident(r.rulename), 'shown', quote_ident(r.rulename),
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_rewrite'::regclass AND remark.objoid = r.oid AND remark.objsubid = 0),
    'definition', json_build_object('rule', json_build_object('definition', replace(pg_get_ruledef(r.oid), ' TO ' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' ', ' TO ' || c.oid::regclass::text || ' '), 'enabled', r.ev_enabled::text)))
  FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE {own} AND r.rulename <> '_RETURN';

SELECT json_build_object(
    'id', json_build_array('pg_policy', p.oid::int8, 0), 'parent', json_build_array('pg_class', p.polrelid::int8, 0),
    'name', quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || quote_ident(p.polname), 'shown', quote_ident(p.polname),
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_policy'::regclass AND remark.objoid = p.oid AND remark.objsubid = 0),
    'definition', json_build_object('policy', json_build_object(
        'permissive', p.polpermissive,
        'command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
        'roles', (SELECT json_agg(r ORDER BY r) FROM (SELECT CASE WHEN o = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(o)) END FROM unnest(p.polroles) o) q (r)),
        'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid))))
  FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE {own};

SELECT json_build_object(
    'id', json_build_array('pg_statistic_ext', s.oid::int8, 0), 'parent', json_build_array('pg_class', s.stxrelid::int8, 0),
    'name', quote_ident(n.nspname) || '.' || quote_ident(s.stxname),
    'shown', CASE WHEN pg_statistics_obj_is_visible(s.oid) THEN '' ELSE quote_ident(n.nspname) || '.' END || quote_ident(s.stxname),
    'owner', nullif(quote_ident(pg_get_userbyid(s.stxowner)), quote_ident(current_user)),
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_statistic_ext'::regclass AND remark.objoid = s.oid AND remark.objsubid = 0),
    'definition', json_build_object('statistics', json_build_object(
        'definition', pg_get_statisticsobjdef(s.oid), 'schema', quote_ident(n.nspname), 'target', nullif(s.stxstattarget, -1))))
  FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
 WHERE {own};

SELECT json_build_object(
    'id', json_build_array('pg_event_trigger', e.oid::int8, 0),
    'name', quote_ident(e.evtname), 'shown', quote_ident(e.evtname),
    'owner', nullif(quote_ident(pg_get_userbyid(e.evtowner)), quote_ident(current_user)),
    'comment', (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_event_trigger'::regclass AND remark.objoid = e.oid AND remark.objsubid = 0),
    'definition', json_build_object('event_trigger', json_build_object(
        'event', e.evtevent, 'tags', to_json(coalesce(e.evttags, '{}')), 'function', e.evtfoid::regproc, 'enabled', e.evtenabled::text)))
  FROM pg_event_trigger e
 WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = e.oid AND d.deptype = 'e');

SELECT json_build_object(
    'id', json_build_array('pg_default_acl', d.oid::int8, 0),
    'name', k.name, 'shown', k.name,
    'definition', json_build_object('default_privileges', json_build_object(
        'class', k.class, 'role', k.role, 'schema', quote_ident(n.nspname), 'grants', {default_grants})))
  FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
 CROSS JOIN LATERAL (SELECT CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large_objects' END,
                            nullif(quote_ident(pg_get_userbyid(d.defaclrole)), quote_ident(current_user))) c (class, role)
 CROSS JOIN LATERAL (SELECT c.class, c.role, coalesce(quote_ident(n.nspname) || '.', '') || c.class || coalesce(' for ' || c.role, '')) k (class, role, name)
 WHERE d.defaclnamespace = 0 OR {own};
