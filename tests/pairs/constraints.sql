--- a primary key appears
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer PRIMARY KEY);
--- a primary key of two columns
-->
CREATE TABLE a (x integer, y integer, PRIMARY KEY (x, y));
--- a primary key changes below a foreign key
CREATE TABLE a (x integer PRIMARY KEY, y integer NOT NULL UNIQUE);
CREATE TABLE b (x integer REFERENCES a (x));
-->
CREATE TABLE a (x integer UNIQUE NOT NULL, y integer NOT NULL PRIMARY KEY);
CREATE TABLE b (x integer REFERENCES a (x));
--- a primary key with a name of its own
-->
CREATE TABLE a (x integer CONSTRAINT pk PRIMARY KEY);
--- unique
CREATE TABLE a (x integer, y integer);
-->
CREATE TABLE a (x integer UNIQUE, y integer, UNIQUE (y, x) DEFERRABLE INITIALLY DEFERRED);
--- unique with more columns in its index
CREATE TABLE a (x integer, y integer);
-->
CREATE TABLE a (x integer, y integer, UNIQUE (x) INCLUDE (y) WITH (fillfactor = 80));
--- unique without distinct nulls [15]
CREATE TABLE a (x integer UNIQUE);
-->
CREATE TABLE a (x integer UNIQUE NULLS NOT DISTINCT);
--- checks
CREATE TABLE a (x integer CHECK (x > 0), y integer);
-->
CREATE TABLE a (x integer, y integer, CONSTRAINT together CHECK (x > 0 AND y BETWEEN 1 AND 5 OR x IS NULL));
--- a check changes
CREATE TABLE a (x text, CONSTRAINT c CHECK (x IN ('a', 'b')));
-->
CREATE TABLE a (x text, CONSTRAINT c CHECK (x IN ('a', 'b', 'c')));
--- a check that is not inherited
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer, CONSTRAINT c CHECK (x > 0) NO INHERIT);
--- a check on a parent
CREATE TABLE p (x integer);
CREATE TABLE c () INHERITS (p);
-->
CREATE TABLE p (x integer, CONSTRAINT k CHECK (x > 0));
CREATE TABLE c () INHERITS (p);
--- a check that is not validated
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer);
ALTER TABLE a ADD CONSTRAINT c CHECK (x > 0) NOT VALID;
--- a check is validated
CREATE TABLE a (x integer);
ALTER TABLE a ADD CONSTRAINT c CHECK (x > 0) NOT VALID;
-->
CREATE TABLE a (x integer, CONSTRAINT c CHECK (x > 0));
--- a new table with a constraint that is not validated
CREATE TABLE a (id integer PRIMARY KEY);
-->
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (a integer);
ALTER TABLE b ADD FOREIGN KEY (a) REFERENCES a NOT VALID;
--- a check that calls a function
CREATE TABLE a (x integer);
-->
CREATE FUNCTION ok(x integer) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT x > 0';
CREATE TABLE a (x integer CHECK (ok(x)));
--- the function below a check changes its arguments
CREATE FUNCTION ok(x integer) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT x > 0';
CREATE TABLE a (x integer CHECK (ok(x)));
-->
CREATE FUNCTION ok(y integer) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT y > 0';
CREATE TABLE a (x integer CHECK (ok(x)));
--- exclusion
CREATE TABLE a (r int4range, x integer);
-->
CREATE TABLE a (r int4range, x integer, EXCLUDE USING gist (r WITH &&) WHERE (x > 0));
--- an exclusion constraint changes
CREATE TABLE a (r int4range, x integer, CONSTRAINT e EXCLUDE USING gist (r WITH &&));
-->
CREATE TABLE a (r int4range, x integer, CONSTRAINT e EXCLUDE USING gist (r WITH -|-) WHERE (x > 0) DEFERRABLE);
--- a foreign key appears
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (a integer);
-->
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (a integer REFERENCES a);
--- the action of a foreign key
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (a integer REFERENCES a ON DELETE CASCADE);
-->
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (a integer REFERENCES a ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);
--- a foreign key is validated
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (a integer);
ALTER TABLE b ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES a NOT VALID;
-->
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (a integer, CONSTRAINT fk FOREIGN KEY (a) REFERENCES a);
--- match full over two columns
CREATE TABLE a (x integer, y integer, PRIMARY KEY (x, y));
CREATE TABLE b (x integer, y integer);
-->
CREATE TABLE a (x integer, y integer, PRIMARY KEY (x, y));
CREATE TABLE b (x integer, y integer, FOREIGN KEY (x, y) REFERENCES a MATCH FULL);
--- a foreign key to a unique index
CREATE TABLE a (x integer);
CREATE TABLE b (x integer);
-->
CREATE TABLE a (x integer);
CREATE UNIQUE INDEX a_x ON a (x);
CREATE TABLE b (x integer REFERENCES a (x));
--- a foreign key to another table
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (id integer PRIMARY KEY);
CREATE TABLE c (x integer, CONSTRAINT fk FOREIGN KEY (x) REFERENCES a);
-->
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (id integer PRIMARY KEY);
CREATE TABLE c (x integer, CONSTRAINT fk FOREIGN KEY (x) REFERENCES b);
--- the table that a foreign key refers to goes
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (a integer REFERENCES a);
-->
CREATE TABLE b (a integer);
--- a check that is not enforced [18]
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer, CONSTRAINT c CHECK (x > 0) NOT ENFORCED);
--- a primary key without overlaps [18]
CREATE TABLE a (x int4range, r daterange NOT NULL);
-->
CREATE TABLE a (x int4range, r daterange NOT NULL, PRIMARY KEY (x, r WITHOUT OVERLAPS));
--- lists in checks, views, indexes and policies
CREATE TABLE a (x varchar(10), y text, n integer);
-->
CREATE TABLE a (x varchar(10) CHECK (x IN ('a', 'it''s')), y text CHECK (y NOT IN ('b', 'c')), n integer CHECK (n IN (1, 2)));
CREATE TABLE b (x varchar(10), CONSTRAINT c CHECK (lower(x) IN ('a', 'b') AND x NOT IN ('c', 'd')));
CREATE VIEW v AS SELECT x FROM a WHERE x IN ('a', 'b') OR y IN ('c');
CREATE INDEX i ON a (n) WHERE x IN ('a', 'b');
CREATE POLICY p ON a USING (x IN ('a', 'b')) WITH CHECK (x IN ('c', 'd'));
--- options of a key's index outside of the search path
CREATE SCHEMA keys_elsewhere;
CREATE TABLE keys_elsewhere.a (id integer PRIMARY KEY, x integer CONSTRAINT k UNIQUE);
-->
CREATE SCHEMA keys_elsewhere;
CREATE TABLE keys_elsewhere.a (id integer PRIMARY KEY WITH (fillfactor=80), x integer CONSTRAINT k UNIQUE WITH (fillfactor=70));
