--- schemas [alone]
CREATE SCHEMA gone;
CREATE TABLE gone.a (x integer);
-->
CREATE SCHEMA "New One";
CREATE TABLE "New One".a (id serial PRIMARY KEY, x integer);
GRANT USAGE ON SCHEMA "New One" TO pair_reader;
COMMENT ON SCHEMA "New One" IS 'n';
CREATE VIEW v AS SELECT * FROM "New One".a;
--- names that the search path finds, and others [alone]
CREATE SCHEMA app;
CREATE TABLE a (x integer);
CREATE TABLE app.a (x integer);
-->
CREATE SCHEMA app;
CREATE TABLE a (x integer PRIMARY KEY, y integer);
CREATE TABLE app.a (x integer REFERENCES a, y text);
CREATE FUNCTION app.f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE INDEX i ON app.a (y);
--- extensions [alone]
CREATE EXTENSION hstore;
CREATE TABLE a (x text, h hstore);
-->
CREATE EXTENSION citext;
CREATE TABLE a (x citext);
CREATE INDEX a_x ON a (x);
COMMENT ON EXTENSION citext IS 'no case';
--- event triggers [alone]
CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER one ON ddl_command_start EXECUTE FUNCTION e();
-->
CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER two ON ddl_command_end WHEN TAG IN ('DROP TABLE', 'CREATE TABLE') EXECUTE FUNCTION e();
ALTER EVENT TRIGGER two DISABLE;
COMMENT ON EVENT TRIGGER two IS 'two';
--- a function of the public schema [alone]
CREATE FUNCTION f(x integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
-->
CREATE FUNCTION f(x integer) RETURNS integer LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION "F f"() RETURNS integer LANGUAGE sql AS 'SELECT 2';
CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';
