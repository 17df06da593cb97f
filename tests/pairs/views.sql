--- a view appears
CREATE TABLE a (x integer, y text);
-->
CREATE TABLE a (x integer, y text);
CREATE VIEW v AS SELECT x, y FROM a WHERE x > 1 WITH LOCAL CHECK OPTION;
--- a view gets another column at its end
CREATE TABLE a (x integer, y text);
CREATE VIEW v AS SELECT x FROM a;
CREATE VIEW w AS SELECT x FROM v;
-->
CREATE TABLE a (x integer, y text);
CREATE VIEW v AS SELECT x, y FROM a;
CREATE VIEW w AS SELECT x FROM v;
--- a view loses a column below another view
CREATE TABLE a (x integer, y text);
CREATE VIEW v AS SELECT x, y FROM a;
CREATE VIEW w AS SELECT x FROM v;
-->
CREATE TABLE a (x integer, y text);
CREATE VIEW v AS SELECT x FROM a;
CREATE VIEW w AS SELECT x FROM v;
--- a view's columns change their order
CREATE TABLE a (x integer, y text);
CREATE VIEW v AS SELECT x, y FROM a;
-->
CREATE TABLE a (x integer, y text);
CREATE VIEW v AS SELECT y, x FROM a;
--- options of a view
CREATE TABLE a (x integer);
CREATE VIEW v WITH (security_barrier) AS SELECT x FROM a;
-->
CREATE TABLE a (x integer);
CREATE VIEW v AS SELECT x FROM a;
--- a default of a view's column
CREATE TABLE a (x integer, y integer);
CREATE VIEW v AS SELECT x, y FROM a;
ALTER VIEW v ALTER x SET DEFAULT 1;
-->
CREATE TABLE a (x integer, y integer);
CREATE VIEW v AS SELECT x, y FROM a;
ALTER VIEW v ALTER y SET DEFAULT 2;
--- security of the invoker [15]
CREATE TABLE a (x integer);
CREATE VIEW v AS SELECT x FROM a;
-->
CREATE TABLE a (x integer);
CREATE VIEW v WITH (security_invoker = true) AS SELECT x FROM a;
--- a recursive view and a window
CREATE TABLE a (x integer, p integer);
-->
CREATE TABLE a (x integer, p integer);
CREATE VIEW v AS WITH RECURSIVE t AS (SELECT x FROM a WHERE p IS NULL UNION ALL SELECT a.x FROM a JOIN t ON a.p = t.x) SELECT x, rank() OVER (ORDER BY x DESC) FROM t;
--- a materialized view
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer);
CREATE MATERIALIZED VIEW m WITH (fillfactor = 80) AS SELECT x, x + 1 AS y FROM a WITH NO DATA;
CREATE INDEX m_x ON m (x);
--- a materialized view changes
CREATE TABLE a (x integer);
CREATE MATERIALIZED VIEW m AS SELECT x FROM a;
CREATE UNIQUE INDEX m_x ON m (x);
CREATE VIEW v AS SELECT * FROM m;
-->
CREATE TABLE a (x integer);
CREATE MATERIALIZED VIEW m AS SELECT x, 1 AS y FROM a;
CREATE UNIQUE INDEX m_x ON m (x);
CREATE VIEW v AS SELECT * FROM m;
--- a materialized view becomes a view
CREATE TABLE a (x integer);
CREATE MATERIALIZED VIEW m AS SELECT x FROM a;
-->
CREATE TABLE a (x integer);
CREATE VIEW m AS SELECT x FROM a;
--- a view that groups by a primary key that changes
CREATE TABLE a (x integer PRIMARY KEY, y text);
CREATE VIEW v AS SELECT x, y, count(*) FROM a GROUP BY x;
-->
CREATE TABLE a (x integer PRIMARY KEY, y text);
ALTER TABLE a RENAME CONSTRAINT a_pkey TO pk;
CREATE VIEW v AS SELECT x, y, count(*) FROM a GROUP BY x;
--- a trigger instead of an insert into a view
CREATE VIEW v AS SELECT 1 AS x;
-->
CREATE VIEW v AS SELECT 1 AS x, 2 AS y;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER t INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f();
--- rules
CREATE TABLE a (x integer);
CREATE TABLE b (x integer);
CREATE RULE r1 AS ON INSERT TO a DO ALSO INSERT INTO b VALUES (NEW.x);
-->
CREATE TABLE a (x integer);
CREATE TABLE b (x integer);
CREATE RULE r1 AS ON INSERT TO a WHERE NEW.x > 1 DO ALSO INSERT INTO b VALUES (NEW.x);
CREATE RULE r2 AS ON DELETE TO a DO INSTEAD NOTHING;
ALTER TABLE a DISABLE RULE r2;
--- settings of a materialized view's columns, and its clustering
CREATE TABLE a (x integer, t text);
CREATE MATERIALIZED VIEW m AS SELECT x, t FROM a;
ALTER MATERIALIZED VIEW m ALTER t SET STORAGE EXTERNAL, ALTER t SET STATISTICS 50, ALTER x SET (n_distinct = 5);
CREATE INDEX m_x ON m (x);
ALTER MATERIALIZED VIEW m CLUSTER ON m_x;
CREATE MATERIALIZED VIEW n AS SELECT 1 AS x, 'a'::text AS t;
ALTER MATERIALIZED VIEW n ALTER t SET STORAGE EXTERNAL, ALTER x SET STATISTICS 50, ALTER x SET (n_distinct = 5);
CREATE INDEX n_x ON n (x);
ALTER MATERIALIZED VIEW n CLUSTER ON n_x;
-->
CREATE TABLE a (x bigint, t text);
CREATE MATERIALIZED VIEW m AS SELECT x, t FROM a;
ALTER MATERIALIZED VIEW m ALTER t SET STORAGE EXTERNAL, ALTER t SET STATISTICS 50, ALTER x SET (n_distinct = 5);
CREATE INDEX m_x ON m (x);
ALTER MATERIALIZED VIEW m CLUSTER ON m_x;
CREATE MATERIALIZED VIEW n AS SELECT 1 AS x, 'a'::text AS t;
ALTER MATERIALIZED VIEW n ALTER t SET STATISTICS 60;
CREATE INDEX n_x ON n (x);
