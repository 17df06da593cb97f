SELECT pg_catalog.set_config('pgmarch.search_path', pg_catalog.current_setting('search_path'), true),
       pg_catalog.set_config('pgmarch.row_security', pg_catalog.current_setting('row_security'), true),
       pg_catalog.set_config('pgmarch.schema', COALESCE(pg_catalog.current_schema()::pg_catalog.text, ''), true),
       pg_catalog.set_config('pgmarch.version_table', COALESCE(pg_catalog.to_regclass({version_table})::pg_catalog.oid::pg_catalog.text, '0'), true)
