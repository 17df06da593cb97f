CREATE TABLE IF NOT EXISTS {ledger}.revision (
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
COMMENT ON TABLE {ledger}.revision IS 'pgmarch: the text of every revision ever applied, by the version table it was applied for'
