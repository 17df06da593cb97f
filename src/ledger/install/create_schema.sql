-- CREATE SCHEMA IF NOT EXISTS would ask for the right to create one even where it exists.
BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = {ledger_text}) THEN
        CREATE SCHEMA {ledger};
    END IF;
END
