-- Everything a run must know, in one message: 1 the server, 2 the version rows, 3 what the ledger recorded, 4 what was begun and not finished.
-- A table that is missing reads as an empty one; to ask for it by name would be an error in the server's log,
-- so a block (cursors.sql) opens the cursors on what there is.
SELECT current_setting('server_version_num'),
       current_database(),
       current_user,
       current_schema(),
       pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean,
       {version_schema},
       (SELECT c.oid IS NOT NULL
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = {ledger} AND c.relname = 'revision'),
       current_setting('server_version');
DO {cursors};
FETCH ALL FROM pgmarch_version;
FETCH ALL FROM pgmarch_recorded;
FETCH ALL FROM pgmarch_unfinished;
COMMIT
