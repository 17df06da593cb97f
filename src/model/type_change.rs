//! What a change of a type does to values and rows.

use super::sql_text::bare_type;

/// Whether there is an assignment cast from one type to another.
pub(super) fn assigns(old: &str, new: &str) -> bool {
    let (old, new) = (bare_type(old), bare_type(new));
    let group = |name: &str| match name {
        "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision" => 1,
        "text" | "character varying" | "character" => 2,
        "date" | "timestamp without time zone" | "timestamp with time zone" => 3,
        "json" | "jsonb" => 4,
        _ => 0,
    };
    old == new || group(&new) == 2 || (group(&old) != 0 && group(&old) == group(&new))
}

/// Whether a change of type does not rewrite the table (PostgreSQL manual, ALTER TABLE, notes).
pub(super) fn keeps_rows(old: &str, new: &str) -> bool {
    if old == new {
        return true;
    }
    let size = |text: &str| -> Option<u32> { text.split_once('(')?.1.split([',', ')']).next()?.parse().ok() };
    let scale = |text: &str| text.split_once(',').map(|(_, rest)| rest.to_owned());
    match (bare_type(old).as_str(), bare_type(new).as_str()) {
        ("character varying", "text") | ("text", "character varying") => size(new).is_none(),
        ("character varying", "character varying") => size(new).is_none() || size(old).is_some_and(|old| Some(old) <= size(new)),
        ("numeric", "numeric") => size(new).is_none() || (scale(old) == scale(new) && size(old).is_some_and(|old| Some(old) <= size(new))),
        (a, b) if a == b && a.starts_with("time") => size(new).is_none() || size(old).is_some_and(|old| Some(old) <= size(new)),
        _ => false,
    }
}

/// Whether a value may not fit the new type.
pub(super) fn may_lose(old: &str, new: &str) -> bool {
    let widens = [
        ("smallint", "integer"),
        ("smallint", "bigint"),
        ("integer", "bigint"),
        ("real", "double precision"),
        ("date", "timestamp without time zone"),
    ];
    !widens.contains(&(old, new)) && new != "text"
}

/// Whether every value of one type has an equal one of the other, though the table is rewritten.
pub(super) fn widens_in_a_rewrite(old: &str, new: &str) -> bool {
    match old {
        "smallint" => matches!(new, "integer" | "bigint" | "numeric" | "text"),
        "integer" => matches!(new, "bigint" | "numeric" | "text"),
        "bigint" => matches!(new, "numeric" | "text"),
        "real" => new == "double precision",
        "date" => new == "timestamp without time zone",
        "uuid" => new == "text",
        _ => false,
    }
}

/// Whether values of other types are cast to it explicitly.
pub(super) fn is_text(name: &str) -> bool {
    name == "text"
}

/// Whether a value is cast directly, not through text.
pub(super) fn is_cast_directly(old: &str, new: &str) -> bool {
    matches!(bare_type(old).as_str(), "text" | "character varying" | "character")
        || matches!((old, new), ("boolean", "integer") | ("integer", "boolean"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wider_types_keep_the_rows() {
        for (old, new, keeps) in [
            ("character varying(10)", "character varying(20)", true),
            ("character varying(20)", "character varying(10)", false),
            ("character varying", "character varying(10)", false),
            ("character varying(10)", "text", true),
            ("text", "character varying", true),
            ("integer", "bigint", false),
            ("numeric(10,2)", "numeric(12,2)", true),
            ("numeric(10,2)", "numeric(12,3)", false),
            ("numeric(10,2)", "numeric", true),
            ("timestamp(3) without time zone", "timestamp without time zone", true),
            ("timestamp without time zone", "timestamp with time zone", false),
        ] {
            assert_eq!(keeps_rows(old, new), keeps, "{old} → {new}");
        }
    }
}
