//! Constants of PostgreSQL's types, different for every number. Pure.

use crate::model::sql_text::{bare_type, quote};

/// A constant of a type that is no array and that the catalog does not define; `None` for a type whose values are not known.
pub(super) fn literal(type_name: &str, number: u32) -> Option<String> {
    Some(format!("{}::{type_name}", quote(&text_of(type_name, number)?)))
}

/// The text of such a constant.
pub(super) fn text_of(type_name: &str, n: u32) -> Option<String> {
    let (low, high) = (n % 250, n / 250 % 250);
    let date = |days: u32| format!("2{:03}-{:02}-{:02}", days / 336, days / 28 % 12 + 1, days % 28 + 1);
    let time = format!("{:02}:{:02}:{:02}", n / 3600 % 24, n / 60 % 60, n % 60);
    let bare = bare_type(type_name);
    // A type of an extension may have its schema before it.
    let name = if bare.contains('"') { bare.as_str() } else { bare.rsplit('.').next().unwrap_or(&bare) };
    let size = || modifiers(type_name).first().and_then(|size| usize::try_from(*size).ok());
    Some(match name {
        "smallint" | "integer" | "bigint" | "oid" | "\"char\"" => n.to_string(),
        "numeric" => numeric(&modifiers(type_name), n),
        "real" | "double precision" => format!("{n}.5"),
        "money" => format!("{n}.25"),
        "text" | "character varying" | "name" | "citext" => short_text(size(), n),
        "character" | "bpchar" => short_text(Some(size().unwrap_or(1)), n),
        "boolean" => n.is_multiple_of(2).to_string(),
        "date" => date(n),
        "timestamp without time zone" => format!("{} {time}", date(n)),
        "timestamp with time zone" => format!("{} {time}+00", date(n)),
        "time without time zone" => time,
        "time with time zone" => format!("{time}+00"),
        "interval" => format!("{n} hours"),
        "uuid" => format!("00000000-0000-4000-8000-{n:012}"),
        "json" | "jsonb" => format!("{{\"n\": {n}}}"),
        "jsonpath" => format!("$.n{n}"),
        "bytea" => format!("\\x{n:08x}"),
        "inet" => format!("10.0.{high}.{low}"),
        "cidr" => format!("10.0.{high}.{low}/32"),
        "macaddr" => format!("08:00:2b:01:{high:02x}:{low:02x}"),
        "macaddr8" => format!("08:00:2b:01:02:03:{high:02x}:{low:02x}"),
        "bit" => bits(size().unwrap_or(1), n),
        "bit varying" => bits(size().unwrap_or(16).min(16), n),
        "xml" => format!("<n>{n}</n>"),
        "tsvector" | "tsquery" => format!("w{n}"),
        "point" => format!("({n},1)"),
        "line" => format!("{{{n},1,0}}"),
        "lseg" => format!("[(0,0),({n},1)]"),
        "box" => format!("({n},1),(0,0)"),
        "path" => format!("[(0,0),({n},1)]"),
        "polygon" => format!("((0,0),({n},1),(1,0))"),
        "circle" => format!("<({n},1),1>"),
        "pg_lsn" => format!("0/{n:X}"),
        "int4range" | "int8range" | "numrange" => format!("[{n},{}]", n + 1),
        "daterange" | "tsrange" | "tstzrange" => format!("[{},{}]", date(n), date(n + 1)),
        "int4multirange" | "int8multirange" | "nummultirange" => format!("{{[{n},{}]}}", n + 1),
        "datemultirange" | "tsmultirange" | "tstzmultirange" => format!("{{[{},{}]}}", date(n), date(n + 1)),
        "hstore" => format!("n=>{n}"),
        "ltree" => format!("w{n}"),
        "lquery" => format!("w{n}"),
        "cube" => format!("({n})"),
        "geometry" | "geography" => format!("POINT({} 1)", n % 90),
        "vector" | "halfvec" => format!("[{}]", vec![n.to_string(); size().unwrap_or(3)].join(",")),
        _ => return None,
    })
}

/// The numbers in the parentheses of a type.
fn modifiers(type_name: &str) -> Vec<i32> {
    let inner = type_name.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(inner, _)| inner);
    inner.split(',').filter_map(|number| number.trim().parse().ok()).collect()
}

/// A number that fits precision and scale.
fn numeric(modifiers: &[i32], n: u32) -> String {
    let [precision, rest @ ..] = modifiers else { return format!("{n}.5") };
    let scale = rest.first().copied().unwrap_or(0);
    let power = |digits: i32| 10_u32.pow(u32::try_from(digits.clamp(0, 8)).unwrap_or(0));
    match (precision - scale, scale) {
        (_, ..=0) => format!("{}{}", n % power(*precision), "0".repeat(usize::try_from(-scale).unwrap_or(0))),
        (1.., 1..) => format!("{}.5", n % power(precision - scale)),
        (_, _) => format!("0.{:0>width$}", n % power(*precision), width = usize::try_from(scale).unwrap_or(0)),
    }
}

fn short_text(size: Option<usize>, n: u32) -> String {
    let long = format!("v{n}");
    match size {
        Some(size) if size < long.len() => {
            let digits: Vec<char> = std::iter::successors(Some(n), |rest| Some(rest / 36))
                .take(size)
                .filter_map(|rest| char::from_digit(rest % 36, 36))
                .collect();
            digits.into_iter().rev().collect()
        }
        _ => long,
    }
}

fn bits(size: usize, n: u32) -> String {
    (0..size).rev().map(|bit| if bit < 32 && n >> bit & 1 == 1 { '1' } else { '0' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_type_and_differ() {
        let values = |type_name| [1, 2, 37].map(|n| text_of(type_name, n).expect("a value"));
        assert_eq!(values("character varying(2)"), ["v1", "v2", "11"]);
        assert_eq!(values("character(1)"), ["1", "2", "1"]);
        assert_eq!(values("numeric(3,2)"), ["1.5", "2.5", "7.5"]);
        assert_eq!(values("numeric(2,2)"), ["0.01", "0.02", "0.37"]);
        assert_eq!(values("numeric(5)"), ["1", "2", "37"]);
        assert_eq!(values("bit(3)"), ["001", "010", "101"]);
        assert_eq!(literal("public.citext", 4).as_deref(), Some("'v4'::public.citext"));
        assert_eq!(literal("anything", 4), None);
    }
}
