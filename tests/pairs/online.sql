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
