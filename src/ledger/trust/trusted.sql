{problems}SELECT CASE WHEN EXISTS (SELECT FROM problem WHERE NOT (is_owner AND ({reading} OR is_optional)))
  THEN concat({untrusted})::integer END
