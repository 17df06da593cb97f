-- Plants objects in the schema {schema}, as an ordinary role: for each name in the temporary table `found`, the signatures of
-- pg_catalog, and with {overloads} those that PostgreSQL may prefer to them. Each writes PLANTED and its signature to the log.

-- What can be passed where a type is declared: itself, what is cast to it implicitly, what an untyped literal becomes.
CREATE TEMP TABLE candidate AS
WITH literal (type) AS (VALUES ('text'::regtype), ('varchar'), ('name'), ('anyelement')),
     wide (type) AS (VALUES ('text'::regtype), ('varchar'), ('bpchar'), ('name'), ('"char"'), ('bool'), ('int2'), ('int4'), ('int8'),
        ('oid'), ('regclass'), ('regtype'), ('numeric'), ('float8'), ('timestamptz'), ('interval'), ('jsonb'), ('record'), ('text[]'),
        ('anyelement'), ('anynonarray')),
     arrays (type) AS (VALUES ('text[]'::regtype), ('varchar[]'), ('name[]'), ('"char"[]'), ('int2[]'), ('int4[]'), ('int8[]'),
        ('oid[]'), ('regclass[]'), ('aclitem[]'), ('int2vector'), ('oidvector'), ('anyarray')),
     -- What the columns of the catalog are, and what literals become; in the place of other types nothing else is passed.
     declared AS (SELECT oid AS type, typcategory FROM pg_type WHERE typtype = 'p' OR oid IN (
        SELECT atttypid FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
        UNION SELECT unnest('{numeric,float8,jsonb,regclass,varchar,bpchar}'::regtype[])))
SELECT declared, type, bool_or(likely) AS likely FROM (
    SELECT type AS declared, type, true AS likely FROM declared
    UNION ALL SELECT d.type, castsource, castsource::regtype::text NOT LIKE 'reg%' OR castsource = 'regclass'::regtype
      FROM declared d JOIN pg_cast ON casttarget = d.type AND castcontext = 'i'
    UNION ALL SELECT d.type, literal.type, true FROM declared d, literal WHERE d.typcategory NOT IN ('A', 'P')
    UNION ALL SELECT d.type, arrays.type, arrays.type::text IN ('text[]', 'name[]', 'anyarray', 'int2vector', 'oidvector')
      FROM declared d, arrays WHERE d.typcategory = 'A' OR d.type IN ('anyarray'::regtype, '"any"'::regtype, to_regtype('anycompatiblearray'))
    UNION ALL SELECT d.type, wide.type, true FROM declared d, wide
     WHERE d.type IN ('"any"'::regtype, 'anyelement'::regtype, 'anynonarray'::regtype, to_regtype('anycompatible'), to_regtype('anycompatiblenonarray'))
) AS c GROUP BY declared, type;
CREATE INDEX ON candidate (declared);

-- The arguments to plant for a signature.
CREATE FUNCTION pg_temp.variants(wanted oid[]) RETURNS SETOF oid[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN NEXT wanted;
    -- Nobody but a superuser can create a function of "any".
    IF NOT {overloads} AND '"any"'::regtype <> ALL (wanted) THEN
        RETURN;
    ELSIF cardinality(wanted) = 1 THEN
        RETURN QUERY SELECT ARRAY[c.type::oid] FROM candidate c WHERE c.declared = wanted[1];
    ELSIF cardinality(wanted) = 2 THEN
        RETURN QUERY SELECT ARRAY[a.type::oid, b.type::oid] FROM candidate a, candidate b
            WHERE a.declared = wanted[1] AND b.declared = wanted[2]
              AND (a.likely AND b.likely OR a.type = b.type OR a.type = wanted[1] OR b.type = wanted[2]);
    ELSE
        -- One type in the place of some arguments: of all choices among few, else of one or of all.
        RETURN QUERY SELECT (SELECT array_agg(CASE WHEN c.type IS NULL OR mask >> (d.n::int - 1) & 1 = 0 THEN d.type ELSE c.type END ORDER BY d.n)
                FROM unnest(wanted) WITH ORDINALITY AS d (type, n) LEFT JOIN candidate c ON c.declared = d.type AND c.type = t.type AND c.likely)
            FROM (SELECT DISTINCT c.type FROM candidate c WHERE c.declared = ANY (wanted) AND c.likely) AS t,
                generate_series(1, (1 << cardinality(wanted)) - 1) AS mask
            WHERE cardinality(wanted) <= 4 OR mask & (mask - 1) = 0 OR mask = (1 << cardinality(wanted)) - 1;
    END IF;
END $$;

-- The type that a function returns: the original's, unless that is polymorphic and no argument is any more.
CREATE FUNCTION pg_temp.result(original regtype, declared oid[], arguments oid[]) RETURNS regtype LANGUAGE sql AS $$
    SELECT CASE
        WHEN original::text !~ '^any' OR EXISTS (SELECT FROM unnest(arguments) AS a WHERE a::regtype::text ~ '^any') THEN original
        WHEN original::text ~ 'array$' AND original::text !~ 'nonarray$' THEN (SELECT CASE WHEN typcategory = 'A' THEN oid ELSE typarray END FROM pg_type WHERE oid = arguments[1])
        ELSE (SELECT CASE WHEN typcategory = 'A' AND declared[1]::regtype::text ~ 'array$' THEN typelem ELSE oid END FROM pg_type WHERE oid = arguments[1])
    END::regtype
$$;

CREATE FUNCTION pg_temp.list(types oid[]) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(type::regtype::text, ', ' ORDER BY n), '') FROM unnest(types) WITH ORDINALITY AS t (type, n)
$$;

-- What every planted object calls. A message in the log stays there even if the statement catches the error.
CREATE FUNCTION {schema}.planted(signature text) RETURNS bool STABLE LANGUAGE plpgsql AS
    $$ BEGIN RAISE LOG 'PLANTED: %', signature; RAISE EXCEPTION 'PLANTED: %', signature; END $$;
CREATE FUNCTION pg_temp.body(signature text) RETURNS text LANGUAGE sql AS $$
    SELECT format('BEGIN PERFORM {schema}.planted(%L); END', signature)
$$;

-- Creates an object, unless there can be no such one.
CREATE FUNCTION pg_temp.try(command text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN true;
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END $$;

CREATE TEMP TABLE planted (kind text, made bool);

-- Functions; where fewer arguments are enough, with fewer as well.
CREATE TEMP TABLE wanted_function AS
SELECT DISTINCT ON (p.proname, v.arguments) p.oid AS original, p.proname AS name, s.declared, v.arguments
  FROM pg_proc p
  CROSS JOIN LATERAL generate_series(p.pronargs - p.pronargdefaults, p.pronargs::int) AS n
  CROSS JOIN LATERAL (SELECT (p.proargtypes::oid[])[0:n - 1] AS declared) AS s
  CROSS JOIN LATERAL pg_temp.variants(ARRAY(SELECT unnest(s.declared))) AS v (arguments)
 WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind <> 'p' AND p.provariadic <> '"any"'::regtype
   AND p.proname IN (SELECT name FROM found WHERE kind = 'function')
 ORDER BY p.proname, v.arguments, ARRAY(SELECT unnest(s.declared)) <> v.arguments, p.oid;
-- Variadic "any" takes what is not alike: pairs of types, then as many of one as a statement may pass.
INSERT INTO wanted_function
WITH loose AS (
    SELECT p.oid, p.proname, ARRAY(SELECT unnest((p.proargtypes::oid[])[0:p.pronargs - 2])) AS fixed FROM pg_proc p
     WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.provariadic = '"any"'::regtype AND p.proname IN (SELECT name FROM found WHERE kind = 'function')),
     passed (type) AS (VALUES ('text'::regtype), ('varchar'), ('name'), ('"char"'), ('bool'), ('int2'), ('int4'), ('int8'), ('oid'), ('regclass'), ('anyelement'), (to_regtype('anycompatible')))
SELECT v.oid, v.proname, v.fixed || m.more, f.fixed || m.more FROM loose v
 CROSS JOIN LATERAL pg_temp.variants(v.fixed) AS f (fixed)
 CROSS JOIN LATERAL (
    SELECT ARRAY[a.type::oid, b.type::oid] FROM passed a, passed b WHERE a.type::oid > 0 AND b.type::oid > 0
    UNION SELECT array_fill(a.type::oid, ARRAY[n]) FROM passed a, generate_series(1, 8) AS n WHERE a.type::oid > 0
 ) AS m (more)
 WHERE f.fixed = v.fixed OR f.fixed[1] IN ('varchar'::regtype, 'name'::regtype) OR cardinality(m.more) = 1;

INSERT INTO planted
SELECT CASE p.prokind WHEN 'a' THEN 'aggregate' ELSE 'function' END, CASE
    WHEN p.prokind = 'a' THEN
        pg_temp.try(format('CREATE FUNCTION {schema}.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', 'step of ' || p.proname,
            concat_ws(', ', state, nullif(listed, '')), state, pg_temp.body(signature)))
        AND pg_temp.try(format('CREATE FUNCTION {schema}.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', 'end of ' || p.proname, state, state, pg_temp.body(p.proname || '(…)'))) IS NOT NULL
        AND pg_temp.try(format('CREATE AGGREGATE {schema}.%I(%s) (SFUNC = {schema}.%I, STYPE = %s, FINALFUNC = {schema}.%I)', p.proname,
            coalesce(nullif(listed, ''), '*'), 'step of ' || p.proname, state, 'end of ' || p.proname))
    ELSE
        pg_temp.try(format('CREATE FUNCTION {schema}.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', p.proname,
            concat_ws(', ', nullif(named, ''), (SELECT string_agg(format('OUT %I %s', coalesce(nullif(p.proargnames[n], ''), 'column' || n), o.type::regtype), ', ' ORDER BY n)
                FROM unnest(p.proallargtypes) WITH ORDINALITY AS o (type, n) WHERE p.proargmodes[n] IN ('o', 't'))),
            CASE WHEN p.proretset THEN 'SETOF ' ELSE '' END || state, CASE p.prokind WHEN 'w' THEN 'WINDOW' ELSE '' END, pg_temp.body(signature)))
    END
  FROM wanted_function w JOIN pg_proc p ON p.oid = w.original
 CROSS JOIN LATERAL (SELECT pg_temp.list(w.arguments) AS listed, pg_temp.result(p.prorettype, w.declared, w.arguments)::text AS state) AS t
 CROSS JOIN LATERAL (SELECT format('%s(%s)', p.proname, listed) AS signature,
    (SELECT string_agg(concat_ws(' ', CASE WHEN p.proargnames[n] <> '' THEN quote_ident(p.proargnames[n]) END, a.type::regtype), ', ' ORDER BY n)
       FROM unnest(w.arguments) WITH ORDINALITY AS a (type, n)) AS named) AS s;

-- Operators; one without a left operand is a prefix operator.
CREATE TEMP TABLE wanted_operator AS
SELECT DISTINCT ON (o.oprname, v.arguments) o.oprname AS name, o.oprresult AS result, d.declared, v.arguments
  FROM pg_operator o
 CROSS JOIN LATERAL (SELECT CASE o.oprkind WHEN 'l' THEN ARRAY[o.oprright] ELSE ARRAY[o.oprleft, o.oprright] END AS declared) AS d
 CROSS JOIN LATERAL pg_temp.variants(d.declared) AS v (arguments)
 WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprkind <> 'r' AND o.oprname IN (SELECT name FROM found WHERE kind = 'operator')
 ORDER BY o.oprname, v.arguments, d.declared <> v.arguments, o.oid;

-- One function for all operators of the same types, so that the catalog stays small enough to be read as a whole.
SELECT pg_temp.try(format('CREATE FUNCTION {schema}.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', 'operator to ' || w.result, w.types, w.result,
        pg_temp.body(format('operator (%s)', w.types))))
  FROM (SELECT DISTINCT pg_temp.list(arguments) AS types, pg_temp.result(result, declared, arguments) AS result FROM wanted_operator) AS w;
INSERT INTO planted
SELECT 'operator', pg_temp.try(format('CREATE OPERATOR {schema}.%s (%sRIGHTARG = %s, FUNCTION = {schema}.%I)', w.name,
        CASE WHEN cardinality(w.arguments) = 2 THEN format('LEFTARG = %s, ', w.arguments[1]::regtype) ELSE '' END,
        w.arguments[cardinality(w.arguments)]::regtype, 'operator to ' || pg_temp.result(w.result, w.declared, w.arguments)))
  FROM wanted_operator w;

-- Types: domains whose check raises.
INSERT INTO planted
SELECT 'type', pg_temp.try(format('CREATE DOMAIN {schema}.%I AS pg_catalog.%1$I CHECK ({schema}.planted(%2$L))', name, 'type ' || name))
  FROM found WHERE kind = 'type';

-- Relations: views that raise even where no row is read. A condition without variables is evaluated once, before any row,
-- if its function is not volatile.
INSERT INTO planted
SELECT 'relation', pg_temp.try(format('CREATE VIEW {schema}.%I AS SELECT %s WHERE {schema}.planted(%L)', c.relname,
        (SELECT string_agg(format('NULL::%s AS %I', replace(a.atttypid::regtype::text, 'anyarray', 'text[]'), a.attname), ', ' ORDER BY a.attnum)
           FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), 'relation ' || c.relname))
    AND pg_temp.try(format('GRANT SELECT ON {schema}.%I TO PUBLIC', c.relname))
  FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname IN (SELECT name FROM found WHERE kind = 'relation');

SELECT kind, count(*) FILTER (WHERE made) FROM planted GROUP BY kind;
