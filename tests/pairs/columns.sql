--- columns appear
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer, y text, z integer NOT NULL DEFAULT 7, w timestamptz DEFAULT now());
--- a column with every default of its own type
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer, i integer DEFAULT -1, b bigint DEFAULT -5, n numeric(5,2) DEFAULT 1.50, j json DEFAULT '[]', jb jsonb DEFAULT '{"a": 1}',
    d date DEFAULT '2026-01-02', t timestamp DEFAULT '2026-01-02 03:04:05', iv interval DEFAULT '1 day', ar text[] DEFAULT '{}', u uuid DEFAULT '00000000-0000-0000-0000-000000000000',
    bo boolean DEFAULT true, r real DEFAULT 1.5, c char(3) DEFAULT 'abc', v varchar DEFAULT E'a\\b', by bytea DEFAULT '\x00ff', m money DEFAULT 1, ip inet DEFAULT '10.0.0.1');
--- a serial column on a table that is there
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer, id serial);
--- a default changes
CREATE TABLE a (x integer DEFAULT 3, y varchar(10) DEFAULT 'tcp');
-->
CREATE TABLE a (x integer DEFAULT 5, y varchar(10) DEFAULT 'udp');
--- a default appears
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer DEFAULT 5);
--- NOT NULL
CREATE TABLE a (x integer, y integer NOT NULL);
-->
CREATE TABLE a (x integer NOT NULL, y integer);
--- a wider text
CREATE TABLE a (x varchar(10));
-->
CREATE TABLE a (x varchar(20));
--- varchar to text with a default
CREATE TABLE a (x varchar(10) DEFAULT 'a' NOT NULL);
-->
CREATE TABLE a (x text DEFAULT 'a' NOT NULL);
--- integer to bigint under a primary key and a foreign key
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (a integer REFERENCES a);
-->
CREATE TABLE a (id bigint PRIMARY KEY);
CREATE TABLE b (a bigint REFERENCES a);
--- integer to text under a foreign key
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (a integer REFERENCES a);
-->
CREATE TABLE a (id text PRIMARY KEY);
CREATE TABLE b (a text REFERENCES a);
--- serial to bigserial
CREATE TABLE a (id serial PRIMARY KEY);
-->
CREATE TABLE a (id bigserial PRIMARY KEY);
--- text to integer
CREATE TABLE a (x text DEFAULT '1');
-->
CREATE TABLE a (x integer DEFAULT 1);
--- text to uuid
CREATE TABLE a (x text);
-->
CREATE TABLE a (x uuid);
--- text to jsonb
CREATE TABLE a (x text);
-->
CREATE TABLE a (x jsonb);
--- json to jsonb with a default
CREATE TABLE a (x json DEFAULT '{}' NOT NULL);
-->
CREATE TABLE a (x jsonb DEFAULT '{}' NOT NULL);
--- timestamp to timestamptz
CREATE TABLE a (x timestamp DEFAULT now());
-->
CREATE TABLE a (x timestamptz DEFAULT now());
--- boolean to integer
CREATE TABLE a (x boolean DEFAULT false);
-->
CREATE TABLE a (x integer DEFAULT 0);
--- a type below a check and an index on an expression
CREATE TABLE a (x varchar(10) CHECK (x <> 'a'));
CREATE INDEX a_lower ON a (lower(x));
-->
CREATE TABLE a (x text CHECK (x <> 'a'));
CREATE INDEX a_lower ON a (lower(x));
--- a type below a view, its view and a rule
CREATE TABLE a (x integer, y text);
CREATE VIEW v AS SELECT x, y FROM a;
CREATE VIEW w AS SELECT x FROM v WHERE x > 1;
CREATE RULE r AS ON DELETE TO w DO INSTEAD NOTHING;
-->
CREATE TABLE a (x bigint, y text);
CREATE VIEW v AS SELECT x, y FROM a;
CREATE VIEW w AS SELECT x FROM v WHERE x > 1;
CREATE RULE r AS ON DELETE TO w DO INSTEAD NOTHING;
--- a type below a materialized view with an index
CREATE TABLE a (x integer);
CREATE MATERIALIZED VIEW m AS SELECT x FROM a;
CREATE UNIQUE INDEX m_x ON m (x);
-->
CREATE TABLE a (x bigint);
CREATE MATERIALIZED VIEW m AS SELECT x FROM a;
CREATE UNIQUE INDEX m_x ON m (x);
--- a type below a policy and a trigger
CREATE TABLE a (x integer, y integer);
CREATE POLICY p ON a USING (x > 0);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE UPDATE OF x ON a FOR EACH ROW WHEN (NEW.x > 0) EXECUTE FUNCTION f();
-->
CREATE TABLE a (x bigint, y integer);
CREATE POLICY p ON a USING (x > 0);
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE UPDATE OF x ON a FOR EACH ROW WHEN (NEW.x > 0) EXECUTE FUNCTION f();
--- a column below a view goes
CREATE TABLE a (x integer, y integer);
CREATE VIEW v AS SELECT x, y FROM a;
-->
CREATE TABLE a (x integer);
CREATE VIEW v AS SELECT x FROM a;
--- a column that a view stops using, with the same columns
CREATE TABLE a (x integer, y integer);
CREATE VIEW v AS SELECT x, y AS z FROM a;
-->
CREATE TABLE a (x integer);
CREATE VIEW v AS SELECT x, x AS z FROM a;
--- a column with an index, a check and a foreign key goes
CREATE TABLE b (id integer PRIMARY KEY);
CREATE TABLE a (x integer, y integer REFERENCES b CHECK (y > 0), UNIQUE (x, y));
CREATE INDEX a_y ON a (y) WHERE x > 0;
-->
CREATE TABLE b (id integer PRIMARY KEY);
CREATE TABLE a (x integer);
--- an index keeps its name and loses a column
CREATE TABLE a (x integer, y integer);
CREATE INDEX a_i ON a (x, y);
-->
CREATE TABLE a (x integer);
CREATE INDEX a_i ON a (x);
--- the column that a foreign key refers to goes
CREATE TABLE a (id integer PRIMARY KEY, code text UNIQUE);
CREATE TABLE b (code text REFERENCES a (code));
-->
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (code text);
--- a collation
CREATE TABLE a (x text, y text COLLATE "C");
CREATE INDEX a_x ON a (x);
-->
CREATE TABLE a (x text COLLATE "C", y text);
CREATE INDEX a_x ON a (x);
--- identity
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer GENERATED ALWAYS AS IDENTITY);
--- a new table with identity columns
-->
CREATE TABLE a (id bigint GENERATED BY DEFAULT AS IDENTITY (START WITH 10 INCREMENT BY 5 CACHE 3) PRIMARY KEY, x integer);
CREATE TABLE b (id smallint GENERATED ALWAYS AS IDENTITY, x integer);
--- identity options
CREATE TABLE a (x integer GENERATED ALWAYS AS IDENTITY);
-->
CREATE TABLE a (x integer GENERATED BY DEFAULT AS IDENTITY (INCREMENT BY 2 MAXVALUE 1000 CYCLE));
--- serial becomes identity
CREATE TABLE a (id serial PRIMARY KEY);
-->
CREATE TABLE a (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY);
--- identity of another type
CREATE TABLE a (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
-->
CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
--- a generated column
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer, y integer GENERATED ALWAYS AS (x * 2) STORED);
--- a generated column changes
CREATE TABLE a (x integer, y integer GENERATED ALWAYS AS (x * 2) STORED);
CREATE INDEX a_y ON a (y);
-->
CREATE TABLE a (x integer, y integer GENERATED ALWAYS AS (x * 3) STORED);
CREATE INDEX a_y ON a (y);
--- the type below a generated column changes
CREATE TABLE a (x integer, y integer GENERATED ALWAYS AS (x + 1) STORED);
-->
CREATE TABLE a (x bigint, y integer GENERATED ALWAYS AS (x + 1) STORED);
--- a generated column becomes a plain one
CREATE TABLE a (x integer, y integer GENERATED ALWAYS AS (x * 2) STORED);
-->
CREATE TABLE a (x integer, y integer);
--- a virtual column [18]
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer, y integer GENERATED ALWAYS AS (x * 2) VIRTUAL);
--- storage and statistics
CREATE TABLE a (x text, y text, z text);
ALTER TABLE a ALTER x SET STORAGE EXTERNAL;
ALTER TABLE a ALTER y SET STATISTICS 500;
-->
CREATE TABLE a (x text, y text, z text);
ALTER TABLE a ALTER y SET STORAGE MAIN;
ALTER TABLE a ALTER z SET STATISTICS 50;
ALTER TABLE a ALTER z SET (n_distinct = 5);
--- compression [14]
CREATE TABLE a (x text, y text COMPRESSION pglz);
-->
CREATE TABLE a (x text COMPRESSION pglz, y text);
--- a named NOT NULL [18]
CREATE TABLE a (x integer, y integer NOT NULL, z integer CONSTRAINT zz NOT NULL);
-->
CREATE TABLE a (x integer CONSTRAINT xx NOT NULL, y integer CONSTRAINT yy NOT NULL, z integer NOT NULL);
--- NOT NULL that is not validated [18]
CREATE TABLE a (x integer, y integer NOT NULL);
-->
CREATE TABLE a (x integer, y integer NOT NULL);
ALTER TABLE a ADD CONSTRAINT a_x_not_null NOT NULL x NOT VALID;
--- a column of an array of enums
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE a (x integer);
-->
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE a (x integer, m mood[] DEFAULT '{sad}');
--- a default that calls a function
CREATE TABLE a (x integer);
-->
CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE TABLE a (x integer DEFAULT f());
--- a volatile default
CREATE TABLE a (x integer);
-->
CREATE TABLE a (x integer, y double precision DEFAULT random());
