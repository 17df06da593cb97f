DO {schema};
CREATE TABLE {ledger}.revision (
    version_table text NOT NULL,
    revision text NOT NULL,
    file text NOT NULL,
    parents text[] NOT NULL,
    depends_on text[] NOT NULL,
    branch text,
    message text NOT NULL,
    created text,
    breaking boolean NOT NULL,
    text text NOT NULL,
    exact text NOT NULL,
    semantic text NOT NULL,
    recorded timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version_table, revision)
);
COMMENT ON TABLE {ledger}.revision IS 'pgmarch: the text of every revision ever applied, by the version table it was applied for';
CREATE TABLE {ledger}.journal (
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
COMMENT ON COLUMN {ledger}.journal.direction IS 'upgrade, downgrade, stamp or repair';
COMMENT ON COLUMN {ledger}.journal.outcome IS 'done, failed, started, finished or noted';
COMMENT ON COLUMN {ledger}.journal.statement IS 'for a transaction:false revision, the statement that the row is about, from 1';
CREATE INDEX journal_revision ON {ledger}.journal (version_table, revision, id);
CREATE TABLE {ledger}.catalog (
    version_table text PRIMARY KEY,
    taken timestamptz NOT NULL,
    at text NOT NULL,
    format text NOT NULL,
    rows text NOT NULL
);
COMMENT ON TABLE {ledger}.catalog IS 'pgmarch: the schema as the last run left it, one row for each version table'
