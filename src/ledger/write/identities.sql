to_regclass({version})::oid, to_regclass({revision_name})::oid, to_regclass({journal_name})::oid,
    (SELECT c.relpersistence FROM pg_class c WHERE c.oid = to_regclass({version})),
    pg_relation_filenode(to_regclass({revision_name})), pg_relation_filenode(to_regclass({journal_name})),
    coalesce((SELECT concat(r.ctid, r.xmin)
                FROM (SELECT f.version_table, f.ctid, f.xmin FROM {revision} f WHERE f.version_table <= {key}
                       ORDER BY f.version_table DESC, f.revision DESC LIMIT 1) r
               WHERE r.version_table = {key}), 'none')