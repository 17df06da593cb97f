json_build_object(
    'pid', {pid},
    'role', a.usename,
    'application', coalesce(nullif(a.application_name, ''), a.backend_type),
    'address', host(a.client_addr),
    'is_client', a.backend_type = 'client backend',
    'is_hidden', a.pid IS NOT NULL AND a.backend_start IS NULL,
    'reader', quote_ident(current_user),
    'transaction', extract(epoch FROM clock_timestamp() - a.xact_start),
    'state', a.state,
    'since', extract(epoch FROM clock_timestamp() - CASE WHEN a.state = 'active' THEN a.query_start ELSE a.state_change END),
    'query', nullif(left(regexp_replace(a.query, '\s+', ' ', 'g'), 120), ''),
    'prepared', CASE WHEN {pid} = 0 THEN (SELECT json_agg(p.gid ORDER BY p.prepared) FROM pg_prepared_xacts p WHERE p.database = current_database()) END
)::text
