BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = {ledger_text}) THEN
        CREATE SCHEMA {ledger};
    END IF;
END
