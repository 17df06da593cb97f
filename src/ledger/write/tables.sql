concat_ws(' ',
    to_regclass({version})::oid, to_regclass({revision_name})::oid, to_regclass({journal_name})::oid,
    (SELECT c.relpersistence FROM pg_class c WHERE c.oid = to_regclass({version})),
    pg_relation_filenode(to_regclass({revision_name})), pg_relation_filenode(to_regclass({journal_name})),
    coalesce((SELECT concat(r.ctid, r.xmin) FROM {revision} r WHERE r.version_table = {key} ORDER BY r.revision DESC LIMIT 1), 'none'),
    coalesce((SELECT concat(j.id, j.ctid, j.xmin) FROM {journal} j WHERE j.version_table = {key} ORDER BY j.id DESC LIMIT 1), 'none'))
