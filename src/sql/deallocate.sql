DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT name FROM pg_prepared_statements WHERE from_sql AND name NOT LIKE 'pgmarch: %' AND prepare_time > {since} LOOP
        EXECUTE format('DEALLOCATE %I', statement);
    END LOOP;
END
