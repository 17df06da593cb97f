-- Fails if one of our tables, looked at closely, can't be trusted. concat() is not immutable: the cast would otherwise fail
-- when the statement is planned.
{problems}SELECT CASE WHEN EXISTS (SELECT FROM problem WHERE NOT (is_owner AND ({reading} OR is_optional)))
  THEN concat({untrusted})::integer END
