//! JSON into plain data, by hand: what serde derives is many times the code, for lists as well as for maps, and with an exit for
//! every field.

use serde_json::{Map, Value};

/// A value out of JSON. What is not as expected is noted, and something stands for it: whoever reads asks at the end.
pub trait FromJson {
    /// What a value means.
    fn from_json(value: Value, fault: &mut Fault) -> Self;
}

/// The first thing that was not as expected, and the field that is being read.
#[derive(Debug, Default)]
pub struct Fault {
    field: &'static str,
    what: Option<String>,
}

impl Fault {
    /// Notes that something is not what was wanted.
    pub fn note(&mut self, wanted: &str) {
        let Self { field, what } = self;
        what.get_or_insert_with(|| format!("`{field}` is no {wanted}"));
    }
}

/// Reads a text.
pub fn read<T: FromJson>(text: &str) -> Result<T, String> {
    let value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut fault = Fault::default();
    let read = T::from_json(value, &mut fault);
    fault.what.map_or(Ok(read), Err)
}

/// An object, field by field; one that is not there is null, and those that nobody asks for don't matter.
pub struct Fields<'f> {
    object: Map<String, Value>,
    fault: &'f mut Fault,
}

impl<'f> Fields<'f> {
    /// Opens an object.
    pub fn of(value: Value, fault: &'f mut Fault) -> Self {
        if let Value::Object(object) = value {
            return Self { object, fault };
        }
        fault.note("object");
        Self { object: Map::new(), fault }
    }

    /// One field.
    pub fn get<T: FromJson>(&mut self, name: &'static str) -> T {
        let value = self.object.remove(name).unwrap_or_default();
        self.fault.field = name;
        T::from_json(value, self.fault)
    }
}

impl FromJson for String {
    fn from_json(value: Value, fault: &mut Fault) -> Self {
        if let Value::String(text) = value {
            return text;
        }
        fault.note("text");
        Self::new()
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
    if let Value::Array(list) = value {
        return list;
    }
    fault.note("list");
    Vec::new()
}

/// A list of a known length.
fn several<const N: usize>(value: Value, fault: &mut Fault) -> [Value; N] {
    list(value, fault).try_into().unwrap_or_else(|_| {
        fault.note("list of that length");
        std::array::from_fn(|_| Value::Null)
    })
}
