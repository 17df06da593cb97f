//! The position of a sequence: where it continues when a column that has rows takes its values from it.

use std::collections::BTreeMap;

use super::context::{Action, EmitContext};
use super::sequence_numbers::SequenceNumbers;
use crate::model::hazard::Danger;
use crate::model::sql_text::{quote, renamed_away};
use crate::model::statement::EmittedStatement;
use crate::model::{Catalog, Key, Object, ObjectKind};

/// The sequence that a column takes its values from.
#[derive(Clone, Copy, Debug)]
pub(super) struct SequenceSource<'c> {
    /// Its name in SQL.
    pub(super) name: &'c str,
    /// Its key; the sequence of an identity column has none.
    pub(super) key: Option<&'c Key>,
    numbers: &'c SequenceNumbers,
}

impl<'c> SequenceSource<'c> {
    /// That of a column, if it has one: of its identity, or of a default that calls `nextval`.
    pub(super) fn of(catalog: &'c Catalog, column: &Key) -> Option<Self> {
        let object = catalog.objects.get(column)?;
        if let Some(identity) = &object.definition().as_column()?.identity {
            return Some(Self { name: &identity.sequence, key: None, numbers: &identity.numbers });
        }
        let (default, expression) = catalog.default_of(column)?;
        if !expression.trim_start_matches('(').starts_with("nextval(") {
            return None;
        }
        let mut sequences = catalog.objects.get(default)?.needs().filter(|need| need.kind == ObjectKind::Sequence);
        let (key, sequence) = catalog.objects.get_key_value(sequences.next()?)?;
        Some(Self { name: &sequence.shown, key: Some(key), numbers: &sequence.definition().as_sequence()?.numbers })
    }

    /// Its name while this column's new sequence is set to its position; none if it is gone then, or counts in the other direction.
    fn name_while_replaced(&self, new: &Self, context: &EmitContext<'c>) -> Option<String> {
        let name = match self.key {
            Some(key) if context.actions.is_renamed_away(key) => renamed_away(self.name, &context.old_suffix).0,
            Some(key) if context.is_dropped(key) => return None,
            None if self.name == new.name => renamed_away(self.name, &context.old_suffix).0,
            Some(_) | None => self.name.to_owned(),
        };
        ((self.numbers.increment < 0) == (new.numbers.increment < 0)).then_some(name)
    }

    /// Sets this sequence, which is new, to the position of those that these columns took their values from.
    pub(super) fn continue_from(&self, columns: &[&'c Key], context: &EmitContext<'c>) -> Vec<EmittedStatement> {
        let mut statements: Vec<EmittedStatement> = Vec::new();
        for column in columns {
            let Some(old) = Self::of(context.old, column) else { continue };
            let Some(name) = old.name_while_replaced(self, context) else { continue };
            let statement = self.copy(&old, &name, statements.is_empty());
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
        statements
    }

    fn copy(&self, old: &Self, name: &str, is_first: bool) -> EmittedStatement {
        let (from, to) = (old.numbers, self.numbers);
        let (first, last) = if to.increment < 0 { (to.min, to.start) } else { (to.start, to.max) };
        // What is outside of its bounds is no position for it.
        let fits = first <= from.min && from.max <= last;
        let condition = match (is_first, to.increment < 0) {
            (true, _) if fits => String::new(),
            (true, _) => format!(" WHERE last_value BETWEEN {first} AND {last}"),
            (false, false) => format!(" WHERE last_value BETWEEN (SELECT last_value FROM {}) AND {last}", self.name),
            (false, true) => format!(" WHERE last_value BETWEEN {first} AND (SELECT last_value FROM {})", self.name),
        };
        EmittedStatement::alter(format!("SELECT setval({}, last_value, is_called) FROM {name}{condition}", quote(self.name)))
    }

    /// Advances it to the greatest value of a column, downwards to the least, if it is not there yet.
    pub(super) fn advance(&self, column: &'c Key, context: &EmitContext<'c>) -> Option<EmittedStatement> {
        let subject = context.new.subject(column)?;
        let number = number_type(context.new, subject.object, &subject.object.definition().as_column()?.type_name)?;
        let (name, own, numbers) = (self.name, subject.shown(), self.numbers);
        let by_type = SequenceNumbers::by_default(number);
        let (function, beyond, within, is_limited) = match numbers.increment < 0 {
            true => ("min", "<=", format!(">= {}", numbers.min), numbers.min > -by_type.max - 1),
            false => ("max", ">=", format!("<= {}", numbers.max), numbers.max < by_type.max),
        };
        let is_integer = number != "numeric";
        let value = if is_integer { format!("{function}({own})") } else { format!("{function}({own})::bigint") };
        // A value that the sequence can't reach is none that it must avoid.
        let within = if is_limited || !is_integer { format!(" AND {own} {within}") } else { String::new() };
        let statement = EmittedStatement::alter(format!(
            "SELECT setval({}, {value}) FROM {} WHERE {own} {beyond} (SELECT last_value FROM {name}){within}",
            quote(name),
            subject.parent
        ));
        let table = subject.object.parent.as_ref()?;
        Some(match is_indexed(table, own, context) {
            true => statement,
            false => {
                statement.with(Danger::Scan, "no index has the column in front: every row is read to find where the sequence continues")
            }
        })
    }
}

/// `ALTER SEQUENCE` or `ALTER TABLE … ALTER COLUMN`, with other bounds or another direction: what comes before it so that the position
/// is within the bounds, and the statement, which `write` completes.
pub(super) fn change_numbers(
    name: &str,
    (old, new): (&SequenceNumbers, &SequenceNumbers),
    write: impl Fn(Option<&str>) -> Option<EmittedStatement>,
) -> Vec<EmittedStatement> {
    if (old.increment < 0) != (new.increment < 0) || new.min > old.max || new.max < old.min {
        let restarted = write(Some("RESTART"));
        return restarted
            .map(|it| it.with(Danger::DataLoss, "the sequence's position is lost: it has none in the new bounds"))
            .into_iter()
            .collect();
    }
    let (outside, is_narrower, beyond) = match new.increment < 0 {
        true => (format!("> {}", new.max), new.max < old.max, new.min > old.min),
        false => (format!("< {}", new.min), new.min > old.min, new.max < old.max),
    };
    let start = new.start;
    let moved = (is_narrower && (old.min..=old.max).contains(&start))
        .then(|| EmittedStatement::alter(format!("SELECT setval({}, {start}, false) FROM {name} WHERE last_value {outside}", quote(name))));
    let limit = if new.increment < 0 { new.min } else { new.max };
    let text = format!("it fails if the sequence is beyond {limit}");
    let changed = write(None).map(|it| if beyond { it.with(Danger::MayFail, &text) } else { it });
    moved.into_iter().chain(changed).collect()
}

/// The number type that a column's values have; none if they are no numbers that a sequence can count.
fn number_type<'c>(catalog: &'c Catalog, object: &'c Object, type_name: &'c str) -> Option<&'c str> {
    if matches!(type_name, "smallint" | "integer" | "bigint") {
        return Some(type_name);
    }
    if type_name == "numeric" || type_name.starts_with("numeric(") {
        return Some("numeric");
    }
    let domain = object.needs().filter(|need| need.kind == ObjectKind::Domain).filter_map(|need| catalog.objects.get(need));
    let domain = domain.into_iter().find(|domain| *domain.shown == *type_name)?;
    number_type(catalog, domain, &domain.definition().as_domain()?.base)
}

/// Whether an index or a key of the table has the column in front.
fn is_indexed(table: &Key, column: &str, context: &EmitContext<'_>) -> bool {
    let is_first = |list: &str| list.strip_prefix(column).is_some_and(|rest| rest.starts_with([',', ')', ' ']));
    let constraints = context.parts.of(table, ObjectKind::Constraint).filter_map(|(_, object)| object.definition().as_constraint());
    let mut keys = constraints.filter(|constraint| matches!(constraint.kind, 'p' | 'u')).filter_map(|key| key.definition.split_once('('));
    let mut indexes = context.parts.of(table, ObjectKind::Index).filter_map(|(_, object)| {
        let index = object.definition().as_index()?;
        let (_, list) = index.definition.split_once(" USING btree (")?;
        (index.valid && !list.contains(") WHERE ")).then_some(list)
    });
    keys.any(|(_, list)| is_first(list)) || indexes.any(is_first)
}

/// Whether a column is there before and after: then it may have rows.
fn stays(column: &Key, context: &EmitContext<'_>) -> bool {
    context.old.objects.contains_key(column) && matches!(context.action(column), Action::Keep | Action::Alter)
}

/// Whether a sequence counts in the other direction afterwards.
fn turns(sequence: &Key, context: &EmitContext<'_>) -> bool {
    let is_downwards =
        |catalog: &Catalog| catalog.objects.get(sequence).and_then(|it| Some(it.definition().as_sequence()?.numbers.increment < 0));
    is_downwards(context.old).zip(is_downwards(context.new)).is_some_and(|(old, new)| old != new)
}

/// The sequences whose values are new to a column that takes them, with those columns.
pub(in crate::model) fn find_new_sources<'c>(context: &EmitContext<'c>) -> BTreeMap<&'c Key, Vec<&'c Key>> {
    let mut columns: BTreeMap<&Key, Vec<&Key>> = BTreeMap::new();
    for object in context.new.objects.values().filter(|object| object.definition().as_default().is_some()) {
        let Some(column) = object.parent.as_ref().filter(|column| stays(column, context)) else { continue };
        let Some(sequence) = SequenceSource::of(context.new, column).and_then(|source| source.key) else { continue };
        let before = SequenceSource::of(context.old, column).and_then(|source| source.key);
        if before != Some(sequence) || context.is_created(sequence) || turns(sequence, context) {
            columns.entry(sequence).or_default().push(column);
        }
    }
    columns
}

/// The columns whose new sequence continues one that is dropped, with that one.
pub(in crate::model) fn find_replaced_sequences<'c>(context: &EmitContext<'c>) -> BTreeMap<&'c Key, &'c Key> {
    let columns = context.old.objects.iter().filter(|(key, object)| object.definition().as_column().is_some() && stays(key, context));
    let replaced = columns.filter_map(|(column, _)| {
        let sequence = SequenceSource::of(context.old, column)?.key.filter(|sequence| context.is_dropped(sequence))?;
        let new = SequenceSource::of(context.new, column)?;
        let subject = context.old.subject(sequence)?;
        let is_dropped_alone =
            !context.new.objects.contains_key(sequence) && subject.object.definition().dropped_by(subject, context).is_none();
        (is_dropped_alone && new.key.is_none_or(|key| context.is_created(key))).then_some((column, sequence))
    });
    replaced.collect()
}
