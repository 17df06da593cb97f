CREATE TABLE IF NOT EXISTS {ledger}.catalog (
    version_table text PRIMARY KEY,
    taken timestamptz NOT NULL,
    at text NOT NULL,
    format text NOT NULL,
    rows text NOT NULL
);
COMMENT ON TABLE {ledger}.catalog IS 'pgmarch: the schema as the last run left it, one row for each version table'
