-- Fails if the table can't be trusted; as in trusted.sql, the cast fails when the statement runs.
{problems}SELECT CASE WHEN EXISTS (SELECT FROM problem WHERE is_version) THEN concat({untrusted})::integer END
