-- Opens a cursor on each table of ours that exists, and on nothing for one that doesn't.
DECLARE
    version refcursor := 'pgmarch_version';
    recorded refcursor := 'pgmarch_recorded';
    place text := {version_schema};
BEGIN
    IF place IS NULL THEN
        OPEN version FOR SELECT NULL WHERE false;
    ELSE
        OPEN version FOR EXECUTE format('SELECT version_num FROM %I.%I ORDER BY version_num', place, {version_name});
    END IF;
    IF EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = {ledger} AND c.relname = 'revision') THEN
        OPEN recorded FOR EXECUTE format('SELECT revision, exact, array_to_string(parents || depends_on, '','') FROM %I.revision WHERE version_table = %L',
                                         {ledger}, {place} || '.' || {version_name});
    ELSE
        OPEN recorded FOR SELECT NULL WHERE false;
    END IF;
END
