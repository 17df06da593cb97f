CREATE TABLE IF NOT EXISTS {ledger}.format (
    format integer PRIMARY KEY,
    oldest integer NOT NULL,
    pgmarch text NOT NULL,
    recorded timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON {ledger}.format TO PUBLIC;
COMMENT ON TABLE {ledger}.format IS 'pgmarch: the formats that this ledger has had, the greatest is the present one';
COMMENT ON COLUMN {ledger}.format.oldest IS 'the oldest format whose programs can still use a ledger of this one';
INSERT INTO {ledger}.format (format, oldest, pgmarch) VALUES ({format}, {oldest}, {program}) ON CONFLICT (format) DO NOTHING
