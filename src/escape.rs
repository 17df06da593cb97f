//! Control characters as escapes, in text that comes from files, from the server or from names: such text can neither
//! imitate a line of pgmarch nor send commands to a terminal.

use std::fmt::{self, Display, Write};

/// A value whose control characters are printed as `\n`, `\t`, `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Escaped<T> {
    value: T,
    /// Where line breaks and tabs stay: how far each line but the first is indented.
    indent: Option<usize>,
}

/// `value` on one line.
pub(crate) fn line<T: Display>(value: T) -> Escaped<T> {
    Escaped { value, indent: None }
}

/// `value` with its line breaks and tabs, each line but the first indented by `indent` spaces.
pub(crate) fn lines<T: Display>(value: T, indent: usize) -> Escaped<T> {
    Escaped { value, indent: Some(indent) }
}

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, indent: self.indent }, "{}", self.value)
    }
}

struct Escaping<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    indent: Option<usize>,
}

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match (c, self.indent) {
            ('\n', Some(indent)) => write!(self.out, "\n{:indent$}", ""),
            ('\t', Some(_)) => self.out.write_char(c),
            _ if is_control(c) => write!(self.out, "{}", c.escape_default()),
            _ => self.out.write_char(c),
        })
    }
}

/// Whether a terminal or a viewer does not simply draw `c`: C0, DEL, C1, line and paragraph
/// separators, and the bidirectional controls (Unicode Standard Annex 9), which draw text in another order.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// JSON text whose control characters beyond ASCII, which JSON leaves as they are, are escaped: the value stays the same.
pub(crate) fn json(text: &str) -> String {
    let escape = |c: char| if is_control(c) && c != '\n' { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    if text.chars().any(is_control) { text.chars().map(escape).collect() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_has_no_control_characters() {
        assert_eq!(line("a\nb\r\tc\0\u{1b}[31m\u{7f}\u{9b}").to_string(), r"a\nb\r\tc\u{0}\u{1b}[31m\u{7f}\u{9b}");
        for c in ('\u{2066}'..='\u{2069}').chain('\u{202a}'..='\u{202e}').chain(['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'])
        {
            assert_eq!(line(c).to_string(), format!("\\u{{{:x}}}", u32::from(c)));
        }
    }

    #[test]
    fn what_is_drawn_stays() {
        let text = "plain 'text' \\n \"ü\" 表 → 👩\u{200d}💻 e\u{301}";
        assert_eq!(line(text).to_string(), text);
        assert_eq!(lines(text, 2).to_string(), text);
    }

    #[test]
    fn further_lines_are_indented() {
        assert_eq!(lines("a\n\tb\r\nerror: c\u{1b}", 2).to_string(), "a\n  \tb\\r\n  error: c\\u{1b}");
        assert_eq!(lines("a\nb\n", 0).to_string(), "a\nb\n");
    }

    #[test]
    fn json_keeps_its_value() {
        let value = "a\"\n\u{7f}\u{9b}\u{202e}ü";
        let escaped = json(&serde_json::to_string(value).expect("JSON"));
        assert_eq!(escaped, r#""a\"\n\u007f\u009b\u202eü""#);
        assert_eq!(serde_json::from_str::<String>(&escaped).expect("JSON"), value);
    }
}
