--- the text of a view has the words of another statement
CREATE TABLE a (t text);
CREATE VIEW v AS SELECT t FROM a;
-->
CREATE TABLE a (t text);
CREATE VIEW v AS SELECT t || ' ALTER COLUMN x SET DEFAULT 1; DROP TABLE a' AS t FROM a;
--- the text of a view has such words on both sides
CREATE TABLE a (t text);
CREATE VIEW v AS SELECT t || ' ALTER COLUMN ' AS t FROM a;
ALTER VIEW v ALTER t SET DEFAULT ' ALTER COLUMN ';
-->
CREATE TABLE a (t text);
CREATE VIEW v AS SELECT t || ' ALTER COLUMN x' AS t, 1 AS n FROM a;
ALTER VIEW v ALTER t SET DEFAULT ' ALTER COLUMN x';
--- the text of a materialized view has such words
CREATE TABLE a (t text);
CREATE MATERIALIZED VIEW v AS SELECT t || ' DROP TABLE ' AS t FROM a;
-->
CREATE TABLE a (t text);
CREATE MATERIALIZED VIEW v AS SELECT t || ' ALTER COLUMN ' AS t FROM a;
--- the expression of an index has the words of an index
CREATE TABLE a (t text);
CREATE INDEX gone ON a ((t || ' ON ONLY '));
-->
CREATE TABLE a (t text);
CREATE INDEX come ON a ((t || ' ON ONLY b USING btree (c) INDEX '));
CREATE INDEX other ON a USING hash ((t || ' USING btree ('));
CREATE INDEX " ON ONLY " ON a (t);
--- the predicate of an index has the words of an index
CREATE TABLE a (t text);
CREATE UNIQUE INDEX i ON a (t) WHERE t <> ' ON ONLY ';
-->
CREATE TABLE a (t text);
CREATE UNIQUE INDEX i ON a (t) WHERE t <> ' USING btree (';
--- the name of a key column has the words of a key
CREATE TABLE a (" WITHOUT OVERLAPS" integer);
-->
CREATE TABLE a (" WITHOUT OVERLAPS" integer);
ALTER TABLE a ADD CONSTRAINT k UNIQUE (" WITHOUT OVERLAPS");
--- the body of a function has the dollar quotes of a function
-->
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT $function$ DROP TABLE a; $function$';
CREATE FUNCTION g() RETURNS text LANGUAGE plpgsql AS $x$ BEGIN RETURN $function$ ALTER COLUMN $function$; END $x$;
--- a body of standard SQL has the dollar quotes of a function [14]
-->
CREATE FUNCTION f(a text DEFAULT '$function$') RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT a || '$function$ DROP TABLE'; END;
--- checks, defaults, policies and comments have the words of statements
CREATE TABLE a (t text);
COMMENT ON TABLE a IS 'DROP TABLE a; NOT VALID';
-->
CREATE TABLE a (t text DEFAULT 'nextval( ALTER COLUMN ');
ALTER TABLE a ADD CONSTRAINT c CHECK (t <> ' NOT VALID');
ALTER TABLE a ADD CONSTRAINT d CHECK (t <> ' NOT ENFORCED') NOT VALID;
CREATE POLICY p ON a USING (t <> ' ALTER COLUMN ') WITH CHECK (t <> ' DROP TABLE ');
COMMENT ON TABLE a IS 'ADD VALUE ''x'' ALTER COLUMN';
COMMENT ON COLUMN a.t IS ' ALTER COLUMN ';
--- a value of an enum that is written with quotes is added and used
CREATE TYPE mood AS ENUM ('sad');
CREATE TABLE a (m mood DEFAULT 'sad');
-->
CREATE TYPE mood AS ENUM ('sad', 'a\b');
CREATE TABLE a (m mood DEFAULT 'a\b');
