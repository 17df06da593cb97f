//! The catalog's rows, JSON, into plain data. By hand: what serde would derive for all kinds of object is 60 kB of code.

use serde_json::{Map, Value};

use super::{
    Aside, Attribute, Column, Constraint, Definition, Domain, Identity, Index, NotNull, Numbers, Policy, Routine, Sequence, Table, View,
};

/// A value out of JSON. What is not as expected is noted, and something stands for it: whoever reads asks at the end.
pub(super) trait FromJson {
    fn from_json(value: Value, fault: &mut Fault) -> Self;
}

/// The first thing that was not as expected, and the field that is being read.
#[derive(Debug, Default)]
pub(super) struct Fault {
    field: &'static str,
    what: Option<String>,
}

impl Fault {
    pub(super) fn what(self) -> Option<String> {
        self.what
    }

    fn note(&mut self, wanted: &str) {
        let Self { field, what } = self;
        what.get_or_insert_with(|| format!("`{field}` is no {wanted}"));
    }
}

/// An object, field by field; one that is not there is null, and those that nobody asks for don't matter.
pub(super) struct Fields<'f> {
    object: Map<String, Value>,
    fault: &'f mut Fault,
}

impl<'f> Fields<'f> {
    pub(super) fn of(value: Value, fault: &'f mut Fault) -> Self {
        let object = match value {
            Value::Object(object) => object,
            _ => {
                fault.note("object");
                Map::new()
            }
        };
        Self { object, fault }
    }

    pub(super) fn get<T: FromJson>(&mut self, name: &'static str) -> T {
        let value = self.object.remove(name).unwrap_or_default();
        self.fault.field = name;
        T::from_json(value, self.fault)
    }
}

impl FromJson for String {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        match value {
            Value::String(text) => text,
            _ => {
                fault.note("text");
                Self::new()
            }
        }
    }
}

impl FromJson for char {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        let mut letters = value.as_str().unwrap_or_default().chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => letter,
            _ => {
                fault.note("letter");
                ' '
            }
        }
    }
}

impl FromJson for bool {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        value.as_bool().unwrap_or_else(|| {
            fault.note("boolean");
            false
        })
    }
}

impl FromJson for i64 {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        value.as_i64().unwrap_or_else(|| {
            fault.note("number");
            0
        })
    }
}

/// A number of fewer bits.
fn narrow<T: TryFrom<i64> + Default>(value: Value, fault: &mut Fault) -> T {
    let number = i64::from_json(value, fault);
    T::try_from(number).unwrap_or_else(|_| {
        fault.note("number of that size");
        T::default()
    })
}

impl FromJson for i32 {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        narrow(value, fault)
    }
}

impl FromJson for u32 {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        narrow(value, fault)
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        (!value.is_null()).then(|| T::from_json(value, fault))
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        list(value, fault).into_iter().map(|value| T::from_json(value, fault)).collect()
    }
}

impl<A: FromJson, B: FromJson> FromJson for (A, B) {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        let [first, second] = several(value, fault);
        (A::from_json(first, fault), B::from_json(second, fault))
    }
}

impl<A: FromJson, B: FromJson, C: FromJson> FromJson for (A, B, C) {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        let [first, second, third] = several(value, fault);
        (A::from_json(first, fault), B::from_json(second, fault), C::from_json(third, fault))
    }
}

fn list(value: Value, fault: &mut Fault) -> Vec<Value> {
    match value {
        Value::Array(list) => list,
        _ => {
            fault.note("list");
            Vec::new()
        }
    }
}

/// A list of a known length.
fn several<const N: usize>(value: Value, fault: &mut Fault) -> [Value; N] {
    list(value, fault).try_into().unwrap_or_else(|_| {
        fault.note("list of that length");
        std::array::from_fn(|_| Value::Null)
    })
}

impl<T: FromJson> FromJson for Aside<T> {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        Self(T::from_json(value, fault))
    }
}

impl FromJson for Definition {
    /// An object of one field, which is named after the kind.
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        let mut fields = Fields::of(value, fault);
        let Some((kind, value)) = std::mem::take(&mut fields.object).into_iter().next() else {
            fault.note("definition");
            return Self::Schema {};
        };
        let mut its = Fields::of(value, fault);
        match kind.as_str() {
            "schema" => Self::Schema {},
            "extension" => {
                Self::Extension { version: its.get("version"), schema: its.get("schema"), usual_comment: its.get("usual_comment") }
            }
            "enum" => Self::Enum { labels: its.get("labels") },
            "composite" => Self::Composite { attributes: its.get("attributes") },
            "range" => Self::Range { options: its.get("options") },
            "domain" => Self::Domain(Domain {
                base: its.get("base"),
                collation: its.get("collation"),
                default: its.get("default"),
                not_null: its.get("not_null"),
            }),
            "sequence" => {
                Self::Sequence(Sequence { numbers: its.get("numbers"), unlogged: its.get("unlogged"), owned_by: its.get("owned_by") })
            }
            "table" => Self::Table(Table {
                unlogged: its.get("unlogged"),
                partition_key: its.get("partition_key"),
                bound: its.get("bound"),
                parents: its.get("parents"),
                replica_identity: its.get("replica_identity"),
                clustered_on: its.get("clustered_on"),
                options: its.get("options"),
                row_security: its.get("row_security"),
                force_row_security: its.get("force_row_security"),
                access_method: its.get("access_method"),
            }),
            "column" => Self::Column(Column {
                type_name: its.get("type"),
                collation: its.get("collation"),
                not_null: its.get("not_null"),
                identity: its.get("identity"),
                generated: its.get("generated"),
                storage: its.get("storage"),
                usual_storage: its.get("usual_storage"),
                compression: its.get("compression"),
                statistics: its.get("statistics"),
                options: its.get("options"),
                inherited: its.get("inherited"),
            }),
            "default" => Self::Default { expression: its.get("expression") },
            "constraint" => Self::Constraint(Constraint {
                kind: its.get("kind"),
                definition: its.get("definition"),
                index_options: its.get("index_options"),
            }),
            "index" => Self::Index(Index {
                table: its.get("table"),
                definition: its.get("definition"),
                unique: its.get("unique"),
                valid: its.get("valid"),
                statistics: its.get("statistics"),
            }),
            "view" => Self::View(View {
                materialized: its.get("materialized"),
                populated: its.get("populated"),
                definition: its.get("definition"),
                options: its.get("options"),
                access_method: its.get("access_method"),
                columns: its.get("columns"),
            }),
            "routine" => Self::Routine(Routine {
                kind: its.get("kind"),
                definition: its.get("definition"),
                schema: its.get("schema"),
                arguments: its.get("arguments"),
                result: its.get("result"),
                language: its.get("language"),
                trigger: its.get("trigger"),
            }),
            "aggregate" => Self::Aggregate { arguments: its.get("arguments"), options: its.get("options") },
            "trigger" => Self::Trigger { definition: its.get("definition"), enabled: its.get("enabled") },
            "rule" => Self::Rule { definition: its.get("definition"), enabled: its.get("enabled") },
            "policy" => Self::Policy(Policy {
                permissive: its.get("permissive"),
                command: its.get("command"),
                roles: its.get("roles"),
                using: its.get("using"),
                check: its.get("check"),
            }),
            "statistics" => Self::Statistics { definition: its.get("definition"), schema: its.get("schema"), target: its.get("target") },
            "event_trigger" => Self::EventTrigger {
                event: its.get("event"),
                tags: its.get("tags"),
                function: its.get("function"),
                enabled: its.get("enabled"),
            },
            _ => {
                its.fault.note("definition");
                Self::Schema {}
            }
        }
    }
}

impl FromJson for Attribute {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        let mut its = Fields::of(value, fault);
        Self {
            name: its.get("name"),
            type_name: its.get("type"),
            collation: its.get("collation"),
            default: its.get("default"),
            comment: its.get("comment"),
        }
    }
}

impl FromJson for Numbers {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        let mut its = Fields::of(value, fault);
        Self {
            type_name: its.get("type"),
            start: its.get("start"),
            increment: its.get("increment"),
            min: its.get("min"),
            max: its.get("max"),
            cache: its.get("cache"),
            cycle: its.get("cycle"),
        }
    }
}

impl FromJson for NotNull {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        let mut its = Fields::of(value, fault);
        Self { name: its.get("name"), valid: its.get("valid"), no_inherit: its.get("no_inherit") }
    }
}

impl FromJson for Identity {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        let mut its = Fields::of(value, fault);
        Self { always: its.get("always"), numbers: its.get("numbers"), sequence: its.get("sequence") }
    }
}
