--- an index
CREATE TABLE a (x integer, y text);
-->
CREATE TABLE a (x integer, y text);
CREATE INDEX a_x ON a (x);
--- an index becomes unique
CREATE TABLE a (x integer);
CREATE INDEX a_x ON a (x);
-->
CREATE TABLE a (x integer);
CREATE UNIQUE INDEX a_x ON a (x);
--- orders and nulls
CREATE TABLE a (x integer, y text);
CREATE INDEX i ON a (x, y);
-->
CREATE TABLE a (x integer, y text);
CREATE INDEX i ON a (x DESC, y ASC NULLS FIRST);
--- an expression, a predicate, a collation and a class
CREATE TABLE a (x integer, y text);
-->
CREATE TABLE a (x integer, y text);
CREATE INDEX i ON a (lower(y) text_pattern_ops, y COLLATE "C", (x + 1)) WHERE x > 3 AND y IS NOT NULL;
--- included columns and options
CREATE TABLE a (x integer, y text);
-->
CREATE TABLE a (x integer, y text);
CREATE INDEX i ON a (x) INCLUDE (y) WITH (fillfactor = 70);
--- other methods
CREATE TABLE a (x integer, j jsonb, p point, r int4range);
-->
CREATE TABLE a (x integer, j jsonb, p point, r int4range);
CREATE INDEX i_gin ON a USING gin (j jsonb_path_ops);
CREATE INDEX i_gist ON a USING gist (p);
CREATE INDEX i_sp ON a USING spgist (r);
CREATE INDEX i_hash ON a USING hash (x);
CREATE INDEX i_brin ON a USING brin (x) WITH (pages_per_range = 32);
--- statistics of an expression
CREATE TABLE a (x integer);
CREATE INDEX i ON a ((x + 1), (x + 2));
ALTER INDEX i ALTER COLUMN 1 SET STATISTICS 100;
-->
CREATE TABLE a (x integer);
CREATE INDEX i ON a ((x + 1), (x + 2));
ALTER INDEX i ALTER COLUMN 2 SET STATISTICS 200;
--- an index without distinct nulls [15]
CREATE TABLE a (x integer);
CREATE UNIQUE INDEX i ON a (x);
-->
CREATE TABLE a (x integer);
CREATE UNIQUE INDEX i ON a (x) NULLS NOT DISTINCT;
--- an index that calls a function that is new
CREATE TABLE a (x integer);
-->
CREATE FUNCTION f(integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
CREATE TABLE a (x integer);
CREATE INDEX i ON a (f(x));
--- two indexes change their names
CREATE TABLE a (x integer, y integer);
CREATE INDEX i ON a (x);
CREATE INDEX j ON a (y);
-->
CREATE TABLE a (x integer, y integer);
CREATE INDEX j ON a (x);
CREATE INDEX i ON a (y);
--- an index and a constraint change their names
CREATE TABLE a (x integer, y integer, CONSTRAINT n UNIQUE (x));
CREATE INDEX m ON a (y);
-->
CREATE TABLE a (x integer, y integer, CONSTRAINT m UNIQUE (x));
CREATE INDEX n ON a (y);
--- statistics objects
CREATE TABLE a (x integer, y integer, z integer);
CREATE STATISTICS s1 (ndistinct) ON x, y FROM a;
CREATE STATISTICS s2 ON x, z FROM a;
-->
CREATE TABLE a (x integer, y integer, z integer);
CREATE STATISTICS s1 (dependencies) ON x, y FROM a;
CREATE STATISTICS s3 (mcv) ON y, z FROM a;
ALTER STATISTICS s3 SET STATISTICS 99;
--- the type below a statistics object
CREATE TABLE a (x integer, y integer);
CREATE STATISTICS s ON x, y FROM a;
-->
CREATE TABLE a (x bigint, y integer);
CREATE STATISTICS s ON x, y FROM a;
--- statistics of an expression object [14]
CREATE TABLE a (x integer, y integer);
-->
CREATE TABLE a (x integer, y integer);
CREATE STATISTICS s ON (x + y), x FROM a;
