--- a unique index gets more columns
CREATE TABLE a (x integer, y integer);
CREATE UNIQUE INDEX ux ON a (x);
CREATE INDEX iy ON a (y);
COMMENT ON INDEX ux IS 'one of each';
--rows
INSERT INTO a SELECT n, n FROM generate_series(1, 5) AS n;
--insert
INSERT INTO a SELECT max(x) + 1, 5 FROM a;
DO $$BEGIN INSERT INTO a VALUES (1, 1); RAISE 'nothing protects a'; EXCEPTION WHEN unique_violation THEN END$$;
-->
CREATE TABLE a (x integer, y integer);
CREATE UNIQUE INDEX ux ON a (x) INCLUDE (y);
CREATE INDEX iy ON a (y, x);
COMMENT ON INDEX ux IS 'one of each';

--- a primary key and a unique constraint change
CREATE TABLE a (x integer NOT NULL, y integer NOT NULL, CONSTRAINT pk PRIMARY KEY (x), CONSTRAINT u UNIQUE (y));
CREATE TABLE "B c" ("i d" integer PRIMARY KEY, z integer);
--rows
INSERT INTO a SELECT n, n FROM generate_series(1, 5) AS n;
INSERT INTO "B c" SELECT n, n FROM generate_series(1, 5) AS n;
--insert
INSERT INTO a SELECT max(x) + 1, max(y) + 1 FROM a;
INSERT INTO "B c" SELECT max("i d") + 1, max(z) + 1 FROM "B c";
DO $$BEGIN INSERT INTO a VALUES (1, 1); RAISE 'nothing protects a'; EXCEPTION WHEN unique_violation THEN END$$;
DO $$BEGIN INSERT INTO "B c" VALUES (1, 1); RAISE 'nothing protects B c'; EXCEPTION WHEN unique_violation THEN END$$;
-->
CREATE TABLE a (x integer NOT NULL, y integer NOT NULL, CONSTRAINT pk PRIMARY KEY (x) INCLUDE (y), CONSTRAINT u UNIQUE (x, y) DEFERRABLE);
CREATE TABLE "B c" ("i d" integer NOT NULL, z integer, CONSTRAINT "other key" PRIMARY KEY ("i d") INCLUDE (z));

--- a key changes below a foreign key, a view and a replica identity
CREATE TABLE a (x integer NOT NULL, y integer NOT NULL, s text);
CREATE UNIQUE INDEX ux ON a (x);
ALTER TABLE a REPLICA IDENTITY USING INDEX ux;
CREATE TABLE b (x integer REFERENCES a (x));
CREATE TABLE k (id integer, s text, CONSTRAINT k_pkey PRIMARY KEY (id));
CREATE VIEW v AS SELECT id, s FROM k GROUP BY id;
--rows
INSERT INTO a VALUES (1, 1, 'a'), (2, 2, 'b');
INSERT INTO b VALUES (1);
INSERT INTO k VALUES (1, 'a');
--insert
INSERT INTO a SELECT max(x) + 1, 5 FROM a;
INSERT INTO b VALUES (2);
INSERT INTO k SELECT max(id) + 1, 'b' FROM k;
SELECT 1 FROM v;
DO $$BEGIN INSERT INTO a VALUES (1, 1); RAISE 'nothing protects a'; EXCEPTION WHEN unique_violation THEN END$$;
DO $$BEGIN INSERT INTO b VALUES (1000); RAISE 'nothing protects b'; EXCEPTION WHEN foreign_key_violation THEN END$$;
DO $$BEGIN INSERT INTO k VALUES (1); RAISE 'nothing protects k'; EXCEPTION WHEN unique_violation THEN END$$;
-->
CREATE TABLE a (x integer NOT NULL, y integer NOT NULL, s text);
CREATE UNIQUE INDEX ux ON a (x) INCLUDE (y);
ALTER TABLE a REPLICA IDENTITY USING INDEX ux;
CREATE TABLE b (x integer REFERENCES a (x));
CREATE TABLE k (id integer, s text, CONSTRAINT k_pkey PRIMARY KEY (id) INCLUDE (s));
CREATE VIEW v AS SELECT id, s FROM k GROUP BY id;

--- checks and foreign keys change
CREATE TABLE p (id integer PRIMARY KEY);
CREATE TABLE a (x integer, y integer, CONSTRAINT c CHECK (x > 0), CONSTRAINT f FOREIGN KEY (y) REFERENCES p);
CREATE TABLE b (x integer CONSTRAINT small CHECK (x < 10));
CREATE DOMAIN d AS integer CONSTRAINT positive CHECK (VALUE > 0);
CREATE TABLE e (x d);
--rows
INSERT INTO p VALUES (1);
INSERT INTO a VALUES (5, 1);
INSERT INTO b VALUES (5);
INSERT INTO e VALUES (5);
--insert
INSERT INTO a VALUES (6, 1);
INSERT INTO b VALUES (6);
INSERT INTO e VALUES (6);
DO $$BEGIN INSERT INTO a VALUES (-1, 1); RAISE 'nothing protects a'; EXCEPTION WHEN check_violation THEN END$$;
DO $$BEGIN INSERT INTO a VALUES (5, 2); RAISE 'nothing protects a'; EXCEPTION WHEN foreign_key_violation THEN END$$;
DO $$BEGIN INSERT INTO b VALUES (11); RAISE 'nothing protects b'; EXCEPTION WHEN check_violation THEN END$$;
DO $$BEGIN INSERT INTO e VALUES (-1); RAISE 'nothing protects e'; EXCEPTION WHEN check_violation THEN END$$;
-->
CREATE TABLE p (id integer PRIMARY KEY);
CREATE TABLE a (x integer, y integer, CONSTRAINT c CHECK (x > 2), CONSTRAINT f FOREIGN KEY (y) REFERENCES p ON DELETE CASCADE);
CREATE TABLE b (x integer CONSTRAINT smaller CHECK (x < 9));
CREATE DOMAIN d AS integer CONSTRAINT positive CHECK (VALUE > 1);
CREATE TABLE e (x d);

--- a unique index becomes a constraint, and a constraint an index
CREATE TABLE a (x integer, y integer, CONSTRAINT y_key UNIQUE (y));
CREATE UNIQUE INDEX x_key ON a (x);
CREATE TABLE b (x integer NOT NULL, y integer);
CREATE UNIQUE INDEX others ON b (x);
--rows
INSERT INTO a VALUES (1, 1);
INSERT INTO b VALUES (1, 1);
--insert
INSERT INTO a SELECT max(x) + 1, max(y) + 1 FROM a;
INSERT INTO b SELECT max(x) + 1 FROM b;
DO $$BEGIN INSERT INTO a VALUES (1, 10000); RAISE 'nothing protects a'; EXCEPTION WHEN unique_violation THEN END$$;
DO $$BEGIN INSERT INTO a VALUES (10000, 1); RAISE 'nothing protects a'; EXCEPTION WHEN unique_violation THEN END$$;
DO $$BEGIN INSERT INTO b VALUES (1, 1); RAISE 'nothing protects b'; EXCEPTION WHEN unique_violation THEN END$$;
-->
CREATE TABLE a (x integer, y integer, CONSTRAINT x_key UNIQUE (x));
CREATE UNIQUE INDEX y_key ON a (y);
CREATE TABLE b (x integer PRIMARY KEY, y integer);

--- a constraint of another name and a column that gets NOT NULL
CREATE TABLE a (x integer, y integer, z integer, CONSTRAINT old_u UNIQUE (x), CONSTRAINT old_c CHECK (y > 0));
--rows
INSERT INTO a VALUES (1, 1, 1);
--insert
INSERT INTO a SELECT max(x) + 1, 1, 1 FROM a;
DO $$BEGIN INSERT INTO a VALUES (1, 1, 1); RAISE 'nothing protects a'; EXCEPTION WHEN unique_violation THEN END$$;
DO $$BEGIN INSERT INTO a VALUES (1000, -1, 1); RAISE 'nothing protects a'; EXCEPTION WHEN check_violation THEN END$$;
-->
CREATE TABLE a (x integer NOT NULL, y integer, z integer NOT NULL, CONSTRAINT new_u UNIQUE (x), CONSTRAINT new_c CHECK (y > 0));

--- a policy and a trigger change while a key is built
CREATE TABLE a (x integer NOT NULL, y integer);
ALTER TABLE a ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON a FOR SELECT USING (x > 1);
CREATE VIEW v AS SELECT x FROM a;
--rows
INSERT INTO a VALUES (1, 1);
--insert
INSERT INTO a SELECT max(x) + 1 FROM a;
DO $$BEGIN ASSERT (SELECT count(*) = 1 FROM pg_policy WHERE polname = 'own' AND polrelid = 'a'::regclass), 'no policy'; END$$;
SELECT 1 FROM v;
-->
CREATE TABLE a (x integer PRIMARY KEY, y integer);
ALTER TABLE a ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON a AS RESTRICTIVE USING (x > 2);
CREATE VIEW v AS SELECT x, y, count(*) AS n FROM a GROUP BY x;

--- a unique constraint goes with a column, and another one comes
CREATE TABLE a (x integer, y integer DEFAULT 1, UNIQUE (x, y));
--rows
INSERT INTO a VALUES (1, 1);
--insert
INSERT INTO a (x) SELECT max(x) + 1 FROM a;
DO $$BEGIN INSERT INTO a (x) VALUES (1); RAISE 'nothing protects a'; EXCEPTION WHEN unique_violation THEN END$$;
-->
CREATE TABLE a (x integer, CONSTRAINT one UNIQUE (x));

--- names that are words of SQL
CREATE TYPE "order" AS ENUM ('a', 'b');
CREATE TABLE "user" (id int PRIMARY KEY, "table" int, "left" "order", "primary" text);
CREATE UNIQUE INDEX "check" ON "user" ("table");
CREATE INDEX "desc" ON "user" ("primary");
CREATE TABLE "group" ("select" int, "user" int REFERENCES "user", "from" int);
CREATE SEQUENCE "end" OWNED BY "group"."from";
ALTER TABLE "group" ALTER "from" SET DEFAULT nextval('"end"');
--rows
INSERT INTO "user" VALUES (1, 1, 'a', 'x');
INSERT INTO "group" VALUES (1, 1);
-->
CREATE TYPE "order" AS ENUM ('b', 'a');
CREATE TABLE "user" (id int, "table" int NOT NULL, "left" "order", "primary" text, "grant" serial, CONSTRAINT "limit" PRIMARY KEY (id));
CREATE UNIQUE INDEX "check" ON "user" ("table") INCLUDE (id);
CREATE INDEX "desc" ON "user" ("primary" DESC);
CREATE TABLE "group" ("select" int NOT NULL CONSTRAINT "where" CHECK ("select" > 0), "user" int CONSTRAINT "user" REFERENCES "user" ON DELETE CASCADE, "from" int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE "for" ("do" serial PRIMARY KEY, "end" bigserial);

--- a partition with its own key and indexes is attached
CREATE TABLE p (id integer, at date, s varchar, CONSTRAINT p_id_at_key UNIQUE (id, at), CONSTRAINT small CHECK (id < 1000)) PARTITION BY RANGE (at);
CREATE INDEX p_s ON p (s);
CREATE TABLE "p 1" (id integer, at date, s varchar, CONSTRAINT "p 1_id_at_key" UNIQUE (id, at), CONSTRAINT small CHECK (id < 1000));
CREATE INDEX "p 1_s_idx" ON "p 1" (s);
--rows
INSERT INTO "p 1" VALUES (1, '2026-01-01', 'a'), (2, '2026-12-31', NULL);
--insert
INSERT INTO "p 1" SELECT max(id) + 1, '2026-02-01', 'b' FROM "p 1";
DO $$BEGIN INSERT INTO "p 1" VALUES (1, '2026-01-01'); RAISE 'nothing protects it'; EXCEPTION WHEN unique_violation THEN END$$;
-->
CREATE TABLE p (id integer, at date, s varchar, CONSTRAINT p_id_at_key UNIQUE (id, at), CONSTRAINT small CHECK (id < 1000)) PARTITION BY RANGE (at);
CREATE INDEX p_s ON p (s);
CREATE TABLE "p 1" PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');

--- a partition is detached and another one dropped
CREATE TABLE p (id integer, at date, s varchar, CONSTRAINT p_id_at_key UNIQUE (id, at)) PARTITION BY RANGE (at, id);
CREATE INDEX p_s ON p (s);
CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM ('2026-01-01', 0) TO ('2027-01-01', MAXVALUE);
CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM ('2028-01-01', MINVALUE) TO ('2029-01-01', 100);
CREATE TABLE p_3 PARTITION OF p FOR VALUES FROM ('2030-01-01', 1) TO ('2030-01-01', 100);
--rows
INSERT INTO p_1 VALUES (1, '2026-01-01', 'a'), (2, '2026-12-31', NULL);
INSERT INTO p_3 VALUES (1, '2030-01-01', 'a');
--insert
INSERT INTO p_1 SELECT max(id) + 1, '2026-02-01', 'b' FROM p_1;
INSERT INTO p SELECT coalesce(max(id), 0) + 1, '2030-01-01', 'b' FROM p_3;
DO $$BEGIN INSERT INTO p_1 VALUES (1, '2026-01-01'); RAISE 'nothing protects it'; EXCEPTION WHEN unique_violation THEN END$$;
-->
CREATE TABLE p (id integer, at date, s varchar, CONSTRAINT p_id_at_key UNIQUE (id, at)) PARTITION BY RANGE (at, id);
CREATE INDEX p_s ON p (s);
CREATE TABLE p_1 (id integer, at date, s varchar, CONSTRAINT p_1_id_at_key UNIQUE (id, at));
CREATE INDEX p_1_s_idx ON p_1 (s);
CREATE TABLE p_3 PARTITION OF p FOR VALUES FROM ('2030-01-01', 1) TO ('2030-01-01', 100);

--- partitions by lists get other bounds, and a table with partitions is attached
CREATE TABLE p (x varchar, y integer) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN ('a', 'b''c', NULL);
CREATE TABLE p_2 PARTITION OF p FOR VALUES IN ('d');
CREATE TABLE q (x varchar, y integer) PARTITION BY RANGE (y);
CREATE TABLE q_1 PARTITION OF q FOR VALUES FROM (MINVALUE) TO (100);
--rows
INSERT INTO p_1 VALUES ('a', 1), (NULL, 2);
INSERT INTO q VALUES ('z', 3), ('y', 4);
--insert
INSERT INTO p VALUES ('a', 5);
INSERT INTO q VALUES ('z', 5);
-->
CREATE TABLE p (x varchar, y integer) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN ('a', NULL);
CREATE TABLE p_2 PARTITION OF p FOR VALUES IN ('d', 'e''f');
CREATE TABLE q PARTITION OF p FOR VALUES IN ('z', 'y') PARTITION BY RANGE (y);
CREATE TABLE q_1 PARTITION OF q FOR VALUES FROM (MINVALUE) TO (100);

--- partitions beside a default partition, and by hashes
CREATE TABLE p (x integer, y integer) PARTITION BY LIST (x);
CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p_rest PARTITION OF p DEFAULT;
CREATE TABLE p_2 (x integer, y integer);
CREATE TABLE h (x integer) PARTITION BY HASH (x);
CREATE TABLE h_0 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE h_1 (x integer);
--rows
INSERT INTO p VALUES (1, 1), (3, 3);
INSERT INTO p_2 VALUES (2, 2);
INSERT INTO h_0 VALUES (1);
--insert
INSERT INTO p_1 VALUES (1, 1);
INSERT INTO p_2 VALUES (2, 3);
INSERT INTO p VALUES (5, 5);
-->
CREATE TABLE p (x integer, y integer) PARTITION BY LIST (x);
CREATE TABLE p_1 (x integer, y integer);
CREATE TABLE p_rest PARTITION OF p DEFAULT;
CREATE TABLE p_2 PARTITION OF p FOR VALUES IN (2);
CREATE TABLE h (x integer) PARTITION BY HASH (x);
CREATE TABLE h_0 (x integer);
CREATE TABLE h_1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1);
