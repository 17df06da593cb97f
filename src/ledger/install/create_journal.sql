CREATE TABLE IF NOT EXISTS {ledger}.journal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version_table text NOT NULL,
    revision text NOT NULL,
    direction text NOT NULL,
    outcome text NOT NULL,
    started timestamptz NOT NULL,
    finished timestamptz,
    statement integer,
    role text NOT NULL DEFAULT current_user,
    client_host text NOT NULL,
    client_addr inet DEFAULT inet_client_addr(),
    backend_pid integer NOT NULL DEFAULT pg_backend_pid(),
    backend_start timestamptz,
    pgmarch text NOT NULL,
    progress text,
    sealed text,
    detail text
);
COMMENT ON TABLE {ledger}.journal IS 'pgmarch: every run of a revision, append-only';
COMMENT ON COLUMN {ledger}.journal.direction IS 'upgrade, downgrade, stamp, assume, repair, skip or reset';
COMMENT ON COLUMN {ledger}.journal.outcome IS 'done, failed, started, finished or noted';
COMMENT ON COLUMN {ledger}.journal.statement IS 'for a transaction:false revision, the statement that the row is about, from 1';
CREATE INDEX IF NOT EXISTS journal_revision ON {ledger}.journal (version_table, revision, id)
