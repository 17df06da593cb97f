SELECT json_build_object('part', json_build_array(json_build_array(part_class, part, sub), json_build_array(class, whole, whole_sub)))
  FROM (SELECT 'pg_rewrite', oid::int8, 0, 'pg_class', ev_class::int8, 0 FROM pg_rewrite WHERE rulename = '_RETURN' AND oid >= 16384
        UNION ALL SELECT 'pg_attrdef', f.oid::int8, 0, 'pg_class', adrelid::int8, adnum FROM pg_attrdef f WHERE f.oid >= 16384
        UNION ALL SELECT 'pg_type', oid::int8, 0, 'pg_class', typrelid::int8, 0 FROM pg_type WHERE typrelid <> 0 AND oid >= 16384
        UNION ALL SELECT 'pg_class', typrelid::int8, 0, 'pg_type', t.oid::int8, 0 FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid WHERE c.relkind = 'c' AND t.oid >= 16384
        UNION ALL SELECT 'pg_type', typarray::int8, 0, 'pg_type', oid::int8, 0 FROM pg_type WHERE typarray <> 0 AND oid >= 16384
        {multirange_parts}
        UNION ALL SELECT 'pg_class', conindid::int8, 0, 'pg_constraint', oid::int8, 0 FROM pg_constraint WHERE contype IN ('p', 'u', 'x') AND conindid >= 16384
        UNION ALL SELECT c.relname::text, objid::int8, objsubid, 'pg_extension', refobjid::int8, 0 FROM pg_depend JOIN pg_class c ON c.oid = classid WHERE deptype = 'e') p
       (part_class, part, sub, class, whole, whole_sub);

SELECT json_build_object('needs', json_build_array(
    json_build_array(own.relname, d.objid::int8, d.objsubid), json_build_array(other.relname, d.refobjid::int8, d.refobjsubid)))
  FROM pg_depend d JOIN pg_class own ON own.oid = d.classid JOIN pg_class other ON other.oid = d.refclassid
 WHERE d.objid >= 16384 AND (d.refobjid >= 16384 OR d.refclassid = 'pg_namespace'::regclass) AND d.deptype IN ('n', 'a', 'i')
   AND d.classid IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_rewrite'::regclass,
                     'pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_statistic_ext'::regclass, 'pg_event_trigger'::regclass, 'pg_extension'::regclass, 'pg_default_acl'::regclass);

SELECT json_build_object('unknown', what || ' ' || name)
  FROM (SELECT 'pg_class'::regclass::oid, c.oid, CASE c.relkind WHEN 'f' THEN 'foreign table' ELSE 'relation of kind ' || c.relkind::text END, quote_ident(n.nspname) || '.' || quote_ident(c.relname)
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {own} AND c.relkind NOT IN ('r', 'p', 'v', 'm', 'S', 'i', 'I', 't', 'c')
        UNION ALL SELECT 'pg_class'::regclass, c.oid, 'typed table', quote_ident(n.nspname) || '.' || quote_ident(c.relname)
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {own} AND c.reloftype <> 0
        UNION ALL SELECT 'pg_class'::regclass, c.oid, 'tablespace of', quote_ident(n.nspname) || '.' || quote_ident(c.relname)
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {own} AND c.reltablespace <> 0
        UNION ALL SELECT 'pg_class'::regclass, x.oid, 'attached index', quote_ident(n.nspname) || '.' || quote_ident(x.relname) || ' (its name)'
          FROM pg_class x JOIN pg_namespace n ON n.oid = x.relnamespace JOIN pg_inherits h ON h.inhrelid = x.oid WHERE {own} AND x.relkind IN ('i', 'I') AND (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_class'::regclass AND remark.objoid = x.oid AND remark.objsubid = 0) IS NOT NULL
        UNION ALL SELECT 'pg_trigger'::regclass, t.oid, 'state and comment of the partition''s trigger', quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || quote_ident(t.tgname)
          FROM pg_trigger t JOIN pg_trigger p ON p.oid = t.tgparentid JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {own} AND NOT p.tgisinternal AND (t.tgenabled <> p.tgenabled OR (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_trigger'::regclass AND remark.objoid = t.oid AND remark.objsubid = 0) IS NOT NULL)
        UNION ALL SELECT 'pg_constraint'::regclass, k.oid, 'comment on the inherited constraint', quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || quote_ident(k.conname)
          FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE {own} AND (k.conparentid <> 0 OR NOT k.conislocal AND k.coninhcount > 0) AND (SELECT remark.description FROM pg_description remark WHERE remark.classoid = 'pg_constraint'::regclass AND remark.objoid = k.oid AND remark.objsubid = 0) IS NOT NULL
        UNION ALL SELECT 'pg_subscription'::regclass, 0, 'subscription', quote_ident(o.subname) FROM pg_subscription o WHERE o.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
        UNION ALL SELECT 'pg_type'::regclass, t.oid, 'base type', quote_ident(n.nspname) || '.' || quote_ident(t.typname)
          FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE {own} AND (t.typtype = 'b' AND t.typcategory <> 'A' OR t.typtype = 'p')
        UNION ALL SELECT 'pg_collation'::regclass, o.oid, 'collation', quote_ident(n.nspname) || '.' || quote_ident(o.collname) FROM pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace WHERE {own}
        UNION ALL SELECT 'pg_conversion'::regclass, o.oid, 'conversion', quote_ident(n.nspname) || '.' || quote_ident(o.conname) FROM pg_conversion o JOIN pg_namespace n ON n.oid = o.connamespace WHERE {own}
        UNION ALL SELECT 'pg_operator'::regclass, o.oid, 'operator', o.oid::regoperator::text FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE {own}
        UNION ALL SELECT 'pg_opclass'::regclass, o.oid, 'operator class', quote_ident(n.nspname) || '.' || quote_ident(o.opcname) FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace WHERE {own}
        UNION ALL SELECT 'pg_opfamily'::regclass, o.oid, 'operator family', quote_ident(n.nspname) || '.' || quote_ident(o.opfname) FROM pg_opfamily o JOIN pg_namespace n ON n.oid = o.opfnamespace WHERE {own}
        UNION ALL SELECT 'pg_ts_config'::regclass, o.oid, 'text search configuration', quote_ident(n.nspname) || '.' || quote_ident(o.cfgname) FROM pg_ts_config o JOIN pg_namespace n ON n.oid = o.cfgnamespace WHERE {own}
        UNION ALL SELECT 'pg_ts_dict'::regclass, o.oid, 'text search dictionary', quote_ident(n.nspname) || '.' || quote_ident(o.dictname) FROM pg_ts_dict o JOIN pg_namespace n ON n.oid = o.dictnamespace WHERE {own}
        UNION ALL SELECT 'pg_ts_parser'::regclass, o.oid, 'text search parser', quote_ident(n.nspname) || '.' || quote_ident(o.prsname) FROM pg_ts_parser o JOIN pg_namespace n ON n.oid = o.prsnamespace WHERE {own}
        UNION ALL SELECT 'pg_ts_template'::regclass, o.oid, 'text search template', quote_ident(n.nspname) || '.' || quote_ident(o.tmplname) FROM pg_ts_template o JOIN pg_namespace n ON n.oid = o.tmplnamespace WHERE {own}
        UNION ALL SELECT 'pg_cast'::regclass, o.oid, 'cast', format_type(o.castsource, NULL) || ' as ' || format_type(o.casttarget, NULL) FROM pg_cast o WHERE o.oid >= 16384
        UNION ALL SELECT 'pg_transform'::regclass, o.oid, 'transform', 'for ' || format_type(o.trftype, NULL) FROM pg_transform o
        UNION ALL SELECT 'pg_language'::regclass, o.oid, 'language', quote_ident(o.lanname) FROM pg_language o WHERE o.oid >= 16384
        UNION ALL SELECT 'pg_am'::regclass, o.oid, 'access method', quote_ident(o.amname) FROM pg_am o WHERE o.oid >= 16384
        UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, o.oid, 'foreign data wrapper', quote_ident(o.fdwname) FROM pg_foreign_data_wrapper o
        UNION ALL SELECT 'pg_foreign_server'::regclass, o.oid, 'foreign server', quote_ident(o.srvname) FROM pg_foreign_server o
        UNION ALL SELECT 'pg_user_mapping'::regclass, o.umid, 'user mapping', quote_ident(o.usename) || ' on ' || quote_ident(o.srvname) FROM pg_user_mappings o
        UNION ALL SELECT 'pg_publication'::regclass, o.oid, 'publication', quote_ident(o.pubname) FROM pg_publication o
        UNION ALL SELECT 'pg_db_role_setting'::regclass, o.setdatabase, 'setting of the database', split_part(unnest(o.setconfig), '=', 1) FROM pg_db_role_setting o WHERE o.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        UNION ALL SELECT 'pg_seclabel'::regclass, o.objoid, 'security label', o.objtype || ' ' || o.objname FROM pg_seclabels o WHERE o.objoid >= 16384
       ) u (class, oid, what, name)
 WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = u.class AND e.objid = u.oid AND e.deptype = 'e');
