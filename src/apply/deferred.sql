DECLARE
    names pg_catalog.text;
    deferred pg_catalog.text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', n.nspname, c.conname), ', '),
           pg_catalog.string_agg(pg_catalog.format('%I.%I', n.nspname, c.conname), ', ') FILTER (WHERE c.condeferred)
      INTO names, deferred
      FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.connamespace
     WHERE c.condeferrable AND pg_catalog.has_schema_privilege(n.oid, 'USAGE');
    IF names IS NOT NULL THEN
        EXECUTE pg_catalog.concat('SET CONSTRAINTS ', names, ' IMMEDIATE');
    END IF;
    IF deferred IS NOT NULL THEN
        EXECUTE pg_catalog.concat('SET CONSTRAINTS ', deferred, ' DEFERRED');
    END IF;
END
