--- a function changes its body
CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
-->
CREATE FUNCTION f() RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 5 AS $$SELECT 2$$;
--- a function changes its result below a view
CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE VIEW v AS SELECT f() AS x;
-->
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE VIEW v AS SELECT f() AS x;
--- overloaded functions
CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION f(text) RETURNS integer LANGUAGE sql AS 'SELECT 1';
-->
CREATE FUNCTION f(integer) RETURNS integer LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION f(date, text DEFAULT 'a') RETURNS integer LANGUAGE sql AS 'SELECT 1';
--- names and defaults of arguments
CREATE FUNCTION f(a integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
-->
CREATE FUNCTION f(b integer DEFAULT 3) RETURNS integer LANGUAGE sql AS 'SELECT 1';
--- a function that reads a table that is new [alone]
-->
CREATE TABLE zz (x integer);
CREATE FUNCTION aa() RETURNS SETOF zz LANGUAGE sql AS 'SELECT * FROM zz';
CREATE FUNCTION bb() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM aa()';
--- functions that return tables and have out arguments
-->
CREATE FUNCTION f(a integer, OUT b integer, OUT c text) LANGUAGE sql AS 'SELECT 1, ''x''';
CREATE FUNCTION g(VARIADIC a integer[]) RETURNS TABLE (x integer, y text) LANGUAGE sql AS 'SELECT 1, ''x''';
--- a function in plpgsql with quotes and dollars
-->
CREATE FUNCTION f(x text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $fn$
DECLARE y text := $$it's$$;
BEGIN
    IF x IS NULL THEN RETURN '$1'; END IF; -- a comment; with a semicolon
    RETURN x || y;
END $fn$;
--- a body of standard SQL [14]
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer);
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM a; END;
--- the type below a body of standard SQL [14]
CREATE TABLE a (x integer);
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(x) FROM a; END;
-->
CREATE TABLE a (x bigint);
CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(x) FROM a; END;
--- a procedure [alone]
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer);
CREATE PROCEDURE p(x integer) LANGUAGE sql AS 'INSERT INTO a VALUES (x)';
--- a function becomes a procedure
CREATE FUNCTION f(x integer) RETURNS void LANGUAGE sql AS 'SELECT 1';
-->
CREATE PROCEDURE f(x integer) LANGUAGE sql AS 'SELECT 1';
--- aggregates
-->
CREATE FUNCTION add(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2';
CREATE AGGREGATE total(integer) (SFUNC = add, STYPE = integer, INITCOND = '0', COMBINEFUNC = add, PARALLEL = SAFE);
CREATE AGGREGATE one_more(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');
--- an aggregate changes below a view
CREATE TABLE a (x integer);
CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer);
CREATE VIEW v AS SELECT total(x) FROM a;
-->
CREATE TABLE a (x integer);
CREATE AGGREGATE total(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '5');
CREATE VIEW v AS SELECT total(x) FROM a;
--- triggers
CREATE TABLE a (x integer, y integer);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t1 BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();
CREATE TRIGGER t2 AFTER DELETE ON a FOR EACH STATEMENT EXECUTE FUNCTION f();
-->
CREATE TABLE a (x integer, y integer);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t1 BEFORE INSERT OR UPDATE OF y ON a FOR EACH ROW WHEN (NEW.x > 0) EXECUTE FUNCTION f('arg');
CREATE TRIGGER t3 AFTER INSERT ON a REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION f();
CREATE CONSTRAINT TRIGGER t4 AFTER UPDATE ON a DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f();
--- triggers are switched off
CREATE TABLE a (x integer);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t1 BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();
CREATE TRIGGER t2 BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();
ALTER TABLE a DISABLE TRIGGER t1;
-->
CREATE TABLE a (x integer);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t1 BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();
CREATE TRIGGER t2 BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f();
ALTER TABLE a ENABLE ALWAYS TRIGGER t2;
--- a trigger on a partitioned table
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE p (x integer) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
-->
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE p (x integer) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
CREATE TRIGGER t AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION f();
