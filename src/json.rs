//! JSON into plain data, without serde's derived code, which is many times as large.

use serde_json::{Map, Value};

/// A value read from JSON. A value of the wrong type is noted in the error, and replaced by a default.
pub trait FromJson {
    /// Reads a value.
    fn from_json(value: Value, error: &mut JsonError) -> Self;
}

/// The first value of a wrong type, and the field that is being read.
#[derive(Debug, Default)]
pub struct JsonError {
    field: &'static str,
    what: Option<String>,
}

impl JsonError {
    /// Notes that a value is not of the wanted type.
    pub fn note(&mut self, wanted: &str) {
        let Self { field, what } = self;
        what.get_or_insert_with(|| format!("`{field}` is no {wanted}"));
    }
}

/// Reads a text.
pub fn read<T: FromJson>(text: &str) -> Result<T, String> {
    read_field("", text)
}

/// Reads the text of one field of an object.
pub fn read_field<T: FromJson>(field: &'static str, text: &str) -> Result<T, String> {
    let value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut error = JsonError { field, what: None };
    let read = T::from_json(value, &mut error);
    error.what.map_or(Ok(read), Err)
}

/// An object, field by field. A missing field is null; unknown fields are ignored.
pub struct Fields<'f> {
    object: Map<String, Value>,
    error: &'f mut JsonError,
}

impl<'f> Fields<'f> {
    /// Opens an object.
    pub fn of(value: Value, error: &'f mut JsonError) -> Self {
        if let Value::Object(object) = value {
            return Self { object, error };
        }
        error.note("object");
        Self { object: Map::new(), error }
    }

    /// One field.
    pub fn get<T: FromJson>(&mut self, name: &'static str) -> T {
        let value = self.object.remove(name).unwrap_or_default();
        self.error.field = name;
        T::from_json(value, self.error)
    }
}

impl FromJson for String {
    fn from_json(value: Value, error: &mut JsonError) -> Self {
        if let Value::String(text) = value {
            return text;
        }
        error.note("text");
        Self::new()
    }
}

impl FromJson for char {
    fn from_json(value: Value, error: &mut JsonError) -> Self {
        let mut letters = value.as_str().unwrap_or_default().chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => letter,
            _ => {
                error.note("letter");
                ' '
            }
        }
    }
}

impl FromJson for bool {
    fn from_json(value: Value, error: &mut JsonError) -> Self {
        value.as_bool().unwrap_or_else(|| {
            error.note("boolean");
            false
        })
    }
}

impl FromJson for i64 {
    fn from_json(value: Value, error: &mut JsonError) -> Self {
        value.as_i64().unwrap_or_else(|| {
            error.note("number");
            0
        })
    }
}

/// A number of a smaller type.
fn narrow<T: TryFrom<i64> + Default>(value: Value, error: &mut JsonError) -> T {
    let number = i64::from_json(value, error);
    T::try_from(number).unwrap_or_else(|_| {
        error.note("number of that size");
        T::default()
    })
}

impl FromJson for i32 {
    fn from_json(value: Value, error: &mut JsonError) -> Self {
        narrow(value, error)
    }
}

impl FromJson for u32 {
    fn from_json(value: Value, error: &mut JsonError) -> Self {
        narrow(value, error)
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: Value, error: &mut JsonError) -> Self {
        (!value.is_null()).then(|| T::from_json(value, error))
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: Value, error: &mut JsonError) -> Self {
        list(value, error).into_iter().map(|value| T::from_json(value, error)).collect()
    }
}

impl<A: FromJson, B: FromJson> FromJson for (A, B) {
    fn from_json(value: Value, error: &mut JsonError) -> Self {
        let [first, second] = several(value, error);
        (A::from_json(first, error), B::from_json(second, error))
    }
}

impl<A: FromJson, B: FromJson, C: FromJson> FromJson for (A, B, C) {
    fn from_json(value: Value, error: &mut JsonError) -> Self {
        let [first, second, third] = several(value, error);
        (A::from_json(first, error), B::from_json(second, error), C::from_json(third, error))
    }
}

fn list(value: Value, error: &mut JsonError) -> Vec<Value> {
    if let Value::Array(list) = value {
        return list;
    }
    error.note("list");
    Vec::new()
}

/// A list of a known length.
fn several<const N: usize>(value: Value, error: &mut JsonError) -> [Value; N] {
    list(value, error).try_into().unwrap_or_else(|_| {
        error.note("list of that length");
        std::array::from_fn(|_| Value::Null)
    })
}
