--- an enum appears with a column
-->
CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'happy');
CREATE TABLE a (m mood DEFAULT 'sad' NOT NULL);
--- values of an enum are added everywhere
CREATE TYPE mood AS ENUM ('b', 'd');
CREATE TABLE a (m mood);
-->
CREATE TYPE mood AS ENUM ('a', 'b', 'c', 'd', 'e', 'f');
CREATE TABLE a (m mood);
--- a value of an enum is added and used
CREATE TYPE mood AS ENUM ('sad');
CREATE TABLE a (m mood DEFAULT 'sad');
-->
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE a (m mood DEFAULT 'happy');
--- a value of an enum goes, below a column with a default, an index, a view and a function
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE a (m mood DEFAULT 'sad' NOT NULL, x integer, ms mood[]);
CREATE INDEX a_m ON a (m) WHERE m <> 'ok'::mood;
CREATE VIEW v AS SELECT m FROM a;
CREATE FUNCTION f(mood) RETURNS integer LANGUAGE sql AS 'SELECT 1';
ALTER TABLE a ADD CHECK (m <> 'ok'::mood);
-->
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE a (m mood DEFAULT 'sad' NOT NULL, x integer, ms mood[]);
CREATE INDEX a_m ON a (m) WHERE m <> 'ok'::mood;
CREATE VIEW v AS SELECT m FROM a;
CREATE FUNCTION f(mood) RETURNS integer LANGUAGE sql AS 'SELECT 1';
ALTER TABLE a ADD CHECK (m <> 'ok'::mood);
--- the order of an enum changes
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE TABLE t (m mood);
-->
CREATE TYPE mood AS ENUM ('b', 'a');
CREATE TABLE t (m mood);
--- an enum becomes text and goes
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE TABLE t (m mood DEFAULT 'a');
-->
CREATE TABLE t (m text DEFAULT 'a');
--- a composite type
-->
CREATE TYPE pair AS (x integer, "Y" text COLLATE "C");
CREATE TABLE a (p pair, ps pair[]);
--- attributes come and go
CREATE TYPE pair AS (x integer, y text);
CREATE TABLE a (p pair);
-->
CREATE TYPE pair AS (y text, z date);
CREATE TABLE a (p pair);
--- an attribute changes its type below a column
CREATE TYPE pair AS (x integer, y text);
CREATE TABLE a (p pair);
-->
CREATE TYPE pair AS (x bigint, y text);
CREATE TABLE a (p pair);
--- a composite of an enum whose value goes
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE TYPE pair AS (m mood, x integer);
CREATE TABLE t (p pair, m mood);
-->
CREATE TYPE mood AS ENUM ('a');
CREATE TYPE pair AS (m mood, x integer);
CREATE TABLE t (p pair, m mood);
--- a range type
-->
CREATE TYPE floats AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TABLE a (r floats);
--- a range type changes
CREATE TYPE rr AS RANGE (subtype = integer);
CREATE TABLE a (r rr);
-->
CREATE TYPE rr AS RANGE (subtype = bigint);
CREATE TABLE a (r rr);
--- a multirange with a name [14]
-->
CREATE TYPE rr AS RANGE (subtype = integer, multirange_type_name = rrs);
CREATE TABLE a (r rrs);
--- a domain
-->
CREATE DOMAIN email AS varchar(100) DEFAULT 'a@b' NOT NULL CONSTRAINT has_at CHECK (VALUE LIKE '%@%');
CREATE TABLE a (e email);
--- a domain changes
CREATE DOMAIN d AS text DEFAULT 'a' CONSTRAINT c1 CHECK (VALUE <> '');
CREATE TABLE a (x d);
-->
CREATE DOMAIN d AS text NOT NULL CONSTRAINT c2 CHECK (length(VALUE) > 1);
CREATE TABLE a (x d);
--- a constraint of a domain is not validated
CREATE DOMAIN d AS integer;
-->
CREATE DOMAIN d AS integer;
ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID;
--- the base of a domain changes below a column and a view
CREATE DOMAIN d AS varchar(10);
CREATE TABLE a (x d DEFAULT 'q');
CREATE VIEW v AS SELECT x FROM a;
-->
CREATE DOMAIN d AS text;
CREATE TABLE a (x d DEFAULT 'q');
CREATE VIEW v AS SELECT x FROM a;
--- a domain over a domain over an enum
CREATE TYPE mood AS ENUM ('a', 'b');
CREATE DOMAIN m1 AS mood;
CREATE DOMAIN m2 AS m1 DEFAULT 'a';
CREATE TABLE t (x m2);
-->
CREATE TYPE mood AS ENUM ('a', 'c');
CREATE DOMAIN m1 AS mood;
CREATE DOMAIN m2 AS m1 DEFAULT 'a';
CREATE TABLE t (x m2);
--- a sequence
-->
CREATE SEQUENCE s;
CREATE SEQUENCE t AS smallint INCREMENT 2 MINVALUE 5 MAXVALUE 99 START 7 CACHE 4 CYCLE;
CREATE SEQUENCE u INCREMENT -1;
--- a sequence changes
CREATE SEQUENCE s;
-->
CREATE SEQUENCE s AS integer INCREMENT 3 START 10 CYCLE;
--- a sequence is owned
CREATE TABLE a (x integer);
CREATE SEQUENCE s;
-->
CREATE TABLE a (x integer);
CREATE SEQUENCE s OWNED BY a.x;
--- a default from a sequence of one's own
CREATE TABLE a (x integer);
-->
CREATE SEQUENCE s START 100;
CREATE TABLE a (x integer DEFAULT nextval('s'));
--- a serial with an odd sequence
CREATE TABLE a (y integer);
-->
CREATE SEQUENCE a_x_seq AS integer START 100;
CREATE TABLE a (y integer, x integer NOT NULL DEFAULT nextval('a_x_seq'));
ALTER SEQUENCE a_x_seq OWNED BY a.x;
--- an unlogged sequence [15]
CREATE SEQUENCE s;
-->
CREATE UNLOGGED SEQUENCE s;
