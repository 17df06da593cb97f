//! The conversion of a column's values to a type that is recreated: attributes of composite types by their names, all else through text.

use super::composite::CompositeType;
use super::context::EmitContext;
use super::enum_type::EnumType;
use super::interface::ObjectDefinition as _;
use crate::model::hazard::{Danger, Hazard};
use crate::model::sql_text::{bare_name, ident, quote, renamed_away, type_name, unquoted};
use crate::model::statement::EmittedStatement;
use crate::model::{Attribute, Catalog, Key, Object};

/// Why a conversion through text may fail.
pub(super) const MAY_NOT_FIT: &str = "a value that does not fit the new type makes it fail";

/// A type as a column, an attribute or another type names it.
#[derive(Clone, Copy)]
pub(super) struct NamedType<'c> {
    /// Where it is looked up.
    pub(super) catalog: &'c Catalog,
    /// The object that names it, which depends on it.
    pub(super) user: &'c Object,
    /// Its name.
    pub(super) name: &'c str,
}

/// What the values of a type consist of.
enum TypeShape<'c> {
    Array(NamedType<'c>),
    Enum(&'c Object, &'c EnumType),
    Composite(&'c Object, &'c CompositeType),
    Domain(NamedType<'c>),
    Range(NamedType<'c>),
    Multirange(NamedType<'c>),
    Other,
}

impl<'c> NamedType<'c> {
    fn shape(self) -> TypeShape<'c> {
        let within = |user, name| NamedType { catalog: self.catalog, user, name };
        if let Some(element) = self.name.strip_suffix("[]") {
            return TypeShape::Array(within(self.user, element));
        }
        for (_, object) in self.types() {
            let definition = object.definition();
            if let Some(range) = definition.as_range()
                && range.multirange() == Some(self.name)
            {
                return TypeShape::Multirange(within(self.user, &object.shown));
            }
            if *object.shown != *self.name {
                continue;
            }
            if let Some(labels) = definition.as_enum() {
                return TypeShape::Enum(object, labels);
            } else if let Some(composite) = definition.as_composite() {
                return TypeShape::Composite(object, composite);
            } else if let Some(domain) = definition.as_domain() {
                return TypeShape::Domain(within(object, &domain.base));
            } else if let Some(subtype) = definition.as_range().and_then(|range| range.subtype()) {
                return TypeShape::Range(within(object, subtype));
            }
        }
        TypeShape::Other
    }

    /// The types that its user depends on.
    fn types(self) -> impl Iterator<Item = (&'c Key, &'c Object)> {
        let types = self.user.needs().filter(|need| need.kind.facts().is_type);
        types.filter_map(move |need| self.catalog.objects.get_key_value(need))
    }

    /// The type itself, or the element of an array, if it is one of the catalog.
    fn own(self) -> Option<(&'c Key, &'c Object)> {
        let name = self.name.trim_end_matches("[]");
        let is_own = |object: &Object| {
            *object.shown == *name || object.definition().as_range().is_some_and(|range| range.multirange() == Some(name))
        };
        self.types().find(|(_, object)| is_own(object))
    }

    /// Its name while the values are converted, if it is the type before.
    fn name_while_converted(self, context: &EmitContext<'c>) -> String {
        let name = self.name.trim_end_matches("[]");
        match self.own() {
            Some((key, _)) if context.actions.is_renamed_away(key) => renamed_away(name, &context.old_suffix).0 + &self.name[name.len()..],
            _ => type_name(self.name),
        }
    }
}

/// How the values of one column are converted.
pub(super) struct ValueConversion<'e, 'c> {
    context: &'e EmitContext<'c>,
    /// The functions that it calls, each with its signature: arrays need a loop.
    functions: Vec<(String, String)>,
    /// What it may do.
    pub(super) hazards: Vec<Hazard>,
}

impl<'e, 'c> ValueConversion<'e, 'c> {
    /// The conversion of a column from one type to another, and the expression that does it; none if the text of a value is right.
    pub(super) fn of_column(column: &str, old: NamedType<'c>, new: NamedType<'c>, context: &'e EmitContext<'c>) -> (Self, Option<String>) {
        let mut conversion = Self { context, functions: Vec::new(), hazards: Vec::new() };
        let expression = conversion.convert(column, old, new);
        (conversion, expression)
    }

    /// The statement that converts, with the functions that it calls created before and dropped after it.
    pub(super) fn around(self, statement: EmittedStatement) -> Vec<EmittedStatement> {
        let (signatures, texts): (Vec<String>, Vec<String>) = self.functions.into_iter().unzip();
        let drops = signatures.iter().rev().map(|signature| EmittedStatement::drop(format!("DROP FUNCTION {signature}")));
        texts.into_iter().map(EmittedStatement::create).chain([statement]).chain(drops).collect()
    }

    /// An expression of the new type; none if the text of the value is right for it.
    fn convert(&mut self, value: &str, old: NamedType<'c>, new: NamedType<'c>) -> Option<String> {
        if old.name == new.name && self.stays(old) {
            return None;
        }
        match (old.shape(), new.shape()) {
            (TypeShape::Domain(base), _) => {
                self.hazard(Danger::MayFail, MAY_NOT_FIT.to_owned());
                self.convert(value, base, new)
            }
            (_, TypeShape::Domain(base)) => {
                self.hazard(Danger::MayFail, MAY_NOT_FIT.to_owned());
                self.convert(value, old, base)
            }
            (TypeShape::Enum(_, before), TypeShape::Enum(object, after)) => {
                let removed: Vec<String> =
                    before.labels.iter().filter(|label| !after.labels.contains(label)).map(|label| quote(label)).collect();
                if !removed.is_empty() {
                    self.hazard(
                        Danger::MayFail,
                        format!("it fails if a row has {}, which {} no longer has", removed.join(" or "), object.shown),
                    );
                }
                None
            }
            (TypeShape::Composite(before, old), TypeShape::Composite(after, new)) => {
                self.attributes(value, (before, old.attributes()), (after, new.attributes()))
            }
            (TypeShape::Array(before), TypeShape::Array(after)) => self.array(value, before, after),
            (TypeShape::Range(before), TypeShape::Range(after)) => self.range(value, before, after, new.name),
            (TypeShape::Multirange(before), TypeShape::Multirange(after)) => self.multirange(value, (old, before), (new, after)),
            _ => {
                self.hazard(Danger::MayFail, MAY_NOT_FIT.to_owned());
                None
            }
        }
    }

    /// The attributes that both composite types have, by name.
    fn attributes(
        &mut self,
        value: &str,
        (old, before): (&'c Object, &'c [Attribute]),
        (new, after): (&'c Object, &'c [Attribute]),
    ) -> Option<String> {
        let (mut is_exact, mut is_by_position) = (true, before.iter().map(|old| &old.name).eq(after.iter().map(|new| &new.name)));
        for gone in before.iter().filter(|old| !after.iter().any(|new| new.name == old.name)) {
            self.hazard(Danger::DataLoss, format!("the values of the attribute {} of {} are lost", gone.name, new.shown));
        }
        let mut fields = Vec::new();
        for attribute in after {
            let Some(same) = before.iter().find(|old| old.name == attribute.name) else {
                fields.push("NULL".to_owned());
                continue;
            };
            let from = NamedType { catalog: self.context.old, user: old, name: &same.type_name };
            let to = NamedType { catalog: self.context.new, user: new, name: &attribute.type_name };
            let field = format!("({value}).{}", attribute.name);
            let converted = self.convert(&field, from, to);
            is_by_position &= converted.is_none();
            is_exact &= converted.is_some() || from.name == to.name && self.stays(from);
            fields.push(converted.unwrap_or(field));
        }
        // The text has lengths checked, where a cast to varchar(n) shortens.
        let through = if is_exact { "" } else { "::text" };
        (!is_by_position)
            .then(|| format!("CASE WHEN {value} IS DISTINCT FROM NULL THEN ROW({}){through}::{} END", fields.join(", "), new.shown))
    }

    fn array(&mut self, value: &str, old: NamedType<'c>, new: NamedType<'c>) -> Option<String> {
        let element = self.convert("before[i]", old, new)?;
        self.hazard(Danger::MayFail, "an array of more than one dimension makes it fail".to_owned());
        let body = format!(
            "DECLARE
    after {}[] := '{{}}';
BEGIN
    IF array_ndims(before) > 1 THEN
        RAISE EXCEPTION 'an array of % dimensions can''t be converted: %', array_ndims(before), before;
    END IF;
    FOR i IN coalesce(array_lower(before, 1), 1) .. coalesce(array_upper(before, 1), 0) LOOP
        after[i] := {element};
    END LOOP;
    RETURN after;
END",
            new.name
        );
        Some(self.call("array", value, (old, "[]"), (new, "[]"), &body))
    }

    fn range(&mut self, value: &str, old: NamedType<'c>, new: NamedType<'c>, range: &str) -> Option<String> {
        let lower = self.convert(&format!("lower({value})"), old, new)?;
        let upper = self.convert(&format!("upper({value})"), old, new)?;
        let bounds = format!("CASE WHEN lower_inc({value}) THEN '[' ELSE '(' END || CASE WHEN upper_inc({value}) THEN ']' ELSE ')' END");
        self.hazard(Danger::MayFail, "a range whose bounds have another order in the new type makes it fail".to_owned());
        Some(format!("CASE WHEN isempty({value}) THEN 'empty' WHEN {value} IS NOT NULL THEN {range}({lower}, {upper}, {bounds}) END"))
    }

    fn multirange(
        &mut self,
        value: &str,
        (old, before): (NamedType<'c>, NamedType<'c>),
        (new, after): (NamedType<'c>, NamedType<'c>),
    ) -> Option<String> {
        let range = self.convert("part", before, after)?;
        let body = format!("BEGIN\n    RETURN (SELECT coalesce(range_agg({range}), '{{}}') FROM unnest(before) AS part);\nEND");
        Some(self.call("ranges", value, (old, ""), (new, ""), &body))
    }

    /// A call of a temporary function with this body, from one type with a suffix to another.
    fn call(&mut self, what: &str, value: &str, old: (NamedType<'c>, &str), new: (NamedType<'c>, &str), body: &str) -> String {
        let name = format!("pg_temp.{}", ident(&format!("{}_{what}", unquoted(bare_name(new.0.name)))));
        let from = format!("{}{}", old.0.name_while_converted(self.context), old.1);
        let tag = if body.contains("$$") { "$body$" } else { "$$" };
        let text =
            format!("CREATE FUNCTION {name}(before {from}) RETURNS {}{} LANGUAGE plpgsql STRICT AS {tag}\n{body}{tag}", new.0.name, new.1);
        let signature = format!("{name}({from})");
        if !self.functions.iter().any(|(known, _)| *known == signature) {
            self.functions.push((signature, text));
        }
        format!("{name}({value})")
    }

    /// Whether a type of this name is the same before and after.
    fn stays(&self, named: NamedType<'c>) -> bool {
        named.own().is_none_or(|(key, _)| !self.context.is_dropped(key))
    }

    fn hazard(&mut self, danger: Danger, text: String) {
        let hazard = Hazard::new(danger, text);
        if !self.hazards.contains(&hazard) {
            self.hazards.push(hazard);
        }
    }
}
