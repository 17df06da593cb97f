{problems}SELECT CASE WHEN EXISTS (SELECT FROM problem WHERE is_version) THEN concat({untrusted})::integer END
