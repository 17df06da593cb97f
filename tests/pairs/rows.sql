--- a column more
CREATE TABLE a (id integer PRIMARY KEY, x integer, s text);
--rows
INSERT INTO a VALUES (1, 10, 'one'), (2, NULL, 'two');
--insert
INSERT INTO a (id, x) SELECT coalesce(max(id), 0) + 1, 5 FROM a;
-->
CREATE TABLE a (id integer PRIMARY KEY, x bigint, s text, more integer NOT NULL DEFAULT 7);
--after
INSERT INTO a (id, x, more) VALUES (100, 3000000000, 1);
DELETE FROM a WHERE id = 100;

--- a column in the type of another
CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');
CREATE TABLE a (id integer PRIMARY KEY, m mood, n integer);
--rows
INSERT INTO a VALUES (1, 'sad', 3), (2, 'glad', 4);
-->
CREATE TYPE mood AS ENUM ('glad', 'ok', 'sad');
CREATE TABLE a (id integer PRIMARY KEY, m mood, n varchar(10));
