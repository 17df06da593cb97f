--- a table appears
-->
CREATE TABLE a (id serial PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'x', at timestamp(3) DEFAULT now());
--- a table with every kind of serial
-->
CREATE TABLE a (s smallserial, i serial, b bigserial);
--- a quoted table with quoted columns
-->
CREATE TABLE "Order" ("Id" serial PRIMARY KEY, "select" text DEFAULT 'it''s', "a b" integer, CONSTRAINT "Check it" CHECK ("a b" > 0));
--- a table without columns gets one
CREATE TABLE a ();
-->
CREATE TABLE a (x integer);
--- two tables with a foreign key
-->
CREATE TABLE a (id integer PRIMARY KEY);
CREATE TABLE b (id integer PRIMARY KEY, a integer NOT NULL REFERENCES a ON DELETE CASCADE ON UPDATE SET NULL);
--- a partitioned table with a default that its partitions inherit
-->
CREATE TABLE p (x integer NOT NULL, y text DEFAULT 'none') PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
--- a child table that inherits a default
-->
CREATE TABLE p (x integer NOT NULL, y text DEFAULT 'none');
CREATE TABLE c (z integer) INHERITS (p);
--- tables in a circle of foreign keys
-->
CREATE TABLE a (id integer PRIMARY KEY, b integer);
CREATE TABLE b (id integer PRIMARY KEY, a integer REFERENCES a);
ALTER TABLE a ADD CONSTRAINT a_b_fkey FOREIGN KEY (b) REFERENCES b;
--- a table that refers to itself
-->
CREATE TABLE node (id integer PRIMARY KEY, parent integer REFERENCES node);
--- three tables in a circle
-->
CREATE TABLE a (id integer PRIMARY KEY, n integer);
CREATE TABLE b (id integer PRIMARY KEY, n integer REFERENCES a);
CREATE TABLE c (id integer PRIMARY KEY, n integer REFERENCES b);
ALTER TABLE a ADD FOREIGN KEY (n) REFERENCES c;
--- a child is named before its parent
-->
CREATE TABLE zz (id integer PRIMARY KEY);
CREATE TABLE aa (id integer REFERENCES zz);
--- a table becomes unlogged
CREATE TABLE a (x integer PRIMARY KEY);
-->
CREATE UNLOGGED TABLE a (x integer PRIMARY KEY);
--- an unlogged table
-->
CREATE UNLOGGED TABLE a (id serial PRIMARY KEY, x integer);
--- table options
CREATE TABLE a (x integer, t text) WITH (fillfactor = 70);
-->
CREATE TABLE a (x integer, t text) WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false);
--- replica identity full
CREATE TABLE a (x integer PRIMARY KEY);
-->
CREATE TABLE a (x integer PRIMARY KEY);
ALTER TABLE a REPLICA IDENTITY FULL;
--- replica identity by an index
CREATE TABLE a (x integer NOT NULL);
-->
CREATE TABLE a (x integer NOT NULL);
CREATE UNIQUE INDEX a_x ON a (x);
ALTER TABLE a REPLICA IDENTITY USING INDEX a_x;
--- clustered on an index
CREATE TABLE a (x integer);
CREATE INDEX a_x ON a (x);
-->
CREATE TABLE a (x integer);
CREATE INDEX a_x ON a (x);
ALTER TABLE a CLUSTER ON a_x;
--- an index that identifies rows is built anew
CREATE TABLE a (x integer NOT NULL, y integer NOT NULL);
CREATE UNIQUE INDEX a_x ON a (x);
ALTER TABLE a REPLICA IDENTITY USING INDEX a_x;
-->
CREATE TABLE a (x integer NOT NULL, y integer NOT NULL);
CREATE UNIQUE INDEX a_x ON a (x, y);
ALTER TABLE a REPLICA IDENTITY USING INDEX a_x;
--- an index that identified rows goes
CREATE TABLE a (x integer NOT NULL);
CREATE UNIQUE INDEX a_x ON a (x);
ALTER TABLE a REPLICA IDENTITY USING INDEX a_x;
-->
CREATE TABLE a (x integer NOT NULL);
--- a table becomes a view
CREATE TABLE a (x integer);
-->
CREATE VIEW a AS SELECT 1 AS x;
--- a view becomes a table with the same name
CREATE VIEW a AS SELECT 1 AS x;
-->
CREATE TABLE a (x integer);
--- a table goes and another takes its index's name
CREATE TABLE a (x integer);
CREATE INDEX i ON a (x);
-->
CREATE TABLE b (x integer);
CREATE INDEX i ON b (x);
--- inheritance
CREATE TABLE p (x integer, y text DEFAULT 'a');
-->
CREATE TABLE p (x integer, y text DEFAULT 'a');
CREATE TABLE c (z integer) INHERITS (p);
--- a column on the parent of an inheritance
CREATE TABLE p (x integer);
CREATE TABLE c (z integer) INHERITS (p);
-->
CREATE TABLE p (x integer, y integer NOT NULL DEFAULT 3);
CREATE TABLE c (z integer) INHERITS (p);
--- a column of the parent changes
CREATE TABLE p (x integer DEFAULT 1, y integer);
CREATE TABLE c (z integer) INHERITS (p);
-->
CREATE TABLE p (x bigint DEFAULT 2, y integer NOT NULL);
CREATE TABLE c (z integer) INHERITS (p);
--- a table joins a parent
CREATE TABLE p (x integer);
CREATE TABLE c (x integer, z integer);
-->
CREATE TABLE p (x integer);
CREATE TABLE c (x integer, z integer);
ALTER TABLE c INHERIT p;
--- a partitioned table by range
-->
CREATE TABLE p (id integer NOT NULL, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE p_rest PARTITION OF p DEFAULT;
CREATE INDEX p_id ON p (id);
--- another partition
CREATE TABLE p (x integer, y text) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
-->
CREATE TABLE p (x integer, y text) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p_2 PARTITION OF p FOR VALUES IN (2, 3);
--- a partition of hashes below a partition of lists
-->
CREATE TABLE p (x integer, y integer) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1) PARTITION BY HASH (y);
CREATE TABLE p_1_0 PARTITION OF p_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p_1_1 PARTITION OF p_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
--- a partition is attached
CREATE TABLE p (x integer) PARTITION BY LIST (x);
CREATE TABLE p_1 (x integer);
-->
CREATE TABLE p (x integer) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
--- the bound of a partition changes
CREATE TABLE p (x integer) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
-->
CREATE TABLE p (x integer) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1, 2);
--- a column and an index on a partitioned table
CREATE TABLE p (x integer) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
-->
CREATE TABLE p (x integer, y text NOT NULL DEFAULT 'a') PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
CREATE INDEX p_y ON p (y);
--- a partition with a default of its own
CREATE TABLE p (x integer, y integer DEFAULT 1) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
-->
CREATE TABLE p (x integer, y integer DEFAULT 1) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p (y DEFAULT 7) FOR VALUES IN (1);
--- the key of a partitioned table changes
CREATE TABLE p (x integer, y integer) PARTITION BY LIST (x);
-->
CREATE TABLE p (x integer, y integer) PARTITION BY RANGE (y);
--- a foreign key to a partitioned table
CREATE TABLE p (x integer PRIMARY KEY) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE b (x integer);
-->
CREATE TABLE p (x integer PRIMARY KEY) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE b (x integer REFERENCES p);
--- everything goes [alone]
CREATE TABLE a (id serial PRIMARY KEY, x integer CHECK (x > 0));
CREATE TABLE b (a integer REFERENCES a, y text UNIQUE);
CREATE INDEX b_a ON b (a);
CREATE VIEW v AS SELECT * FROM a JOIN b ON a.id = b.a;
CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT count(*)::integer FROM v';
-->
