-- Opens a cursor on each table of ours that exists, and on nothing for one that doesn't.
DECLARE
    version refcursor := 'pgmarch_version';
    recorded refcursor := 'pgmarch_recorded';
    unfinished refcursor := 'pgmarch_unfinished';
    place text := {version_schema};
BEGIN
    IF place IS NULL THEN
        OPEN version FOR SELECT NULL WHERE false;
    ELSE
        OPEN version FOR EXECUTE format('SELECT version_num FROM %I.%I ORDER BY version_num', place, {version_name});
    END IF;
    IF (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = {ledger} AND c.relname IN ('revision', 'journal') {readable}) = 2 THEN
        OPEN recorded FOR EXECUTE format('SELECT revision, exact, array_to_string(parents || depends_on, '','') FROM %I.revision WHERE version_table = %L',
                                         {ledger}, {place} || '.' || {version_name});
        -- The last word on a revision is about one of its statements: it was begun and not finished.
        OPEN unfinished FOR EXECUTE format(
            'SELECT j.revision, j.direction, j.outcome, j.statement, j.id, j.backend_pid,
                    (extract(epoch FROM j.backend_start) * 1000000)::bigint, j.client_host, j.progress, j.detail
               FROM %I.journal j
              WHERE j.version_table = %L AND j.statement IS NOT NULL
                AND NOT EXISTS (SELECT FROM %I.journal l
                                 WHERE l.version_table = j.version_table AND l.revision = j.revision AND l.id > j.id
                                   AND (l.statement IS NOT NULL OR l.outcome = ''done'' OR l.direction = ''stamp''))',
            {ledger}, {place} || '.' || {version_name}, {ledger});
    ELSE
        OPEN recorded FOR SELECT NULL WHERE false;
        OPEN unfinished FOR SELECT NULL WHERE false;
    END IF;
END
