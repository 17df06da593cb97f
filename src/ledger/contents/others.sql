SELECT DISTINCT n.nspname
  FROM (SELECT DISTINCT version_table FROM {ledger}.revision WHERE version_table <> {key}) other
  JOIN pg_namespace n ON n.nspname = substring(other.version_table FROM '^(.*)\.[^.]*$')
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = substring(other.version_table FROM '[^.]*$')
