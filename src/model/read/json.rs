//! The catalog's rows out of JSON.

use serde_json::Value;

use crate::json::{Fault, Fields, FromJson};
use crate::model::{
    Aside, Attribute, Column, Constraint, Definition, Domain, Identity, Index, NotNull, Numbers, Policy, Routine, Sequence, Table, View,
};

impl<T: FromJson> FromJson for Aside<T> {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        Self(T::from_json(value, fault))
    }
}

impl FromJson for Definition {
    /// An object of one field, which is named after the kind.
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        let only = if let Value::Object(object) = value { object.into_iter().next() } else { None };
        let Some((kind, value)) = only else {
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
                fault.note("definition");
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
