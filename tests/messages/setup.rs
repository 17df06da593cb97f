//! One provoked situation.

use std::any::Any;

use crate::support::Program;

/// The program about to run into a cause, and what must stay until it has ended.
pub(crate) struct Setup {
    pub(super) program: Program,
    pub(super) hidden: Vec<(String, String)>,
    pub(super) _kept: Vec<Box<dyn Any>>,
}

impl Setup {
    /// A program whose situation is there.
    pub(crate) fn of(program: Program) -> Setup {
        Setup { program, hidden: Vec::new(), _kept: Vec::new() }
    }

    /// Keeps a database, a project, a session or a server until the program has ended.
    pub(crate) fn keep(mut self, kept: impl Any) -> Setup {
        self._kept.push(Box::new(kept));
        self
    }

    /// A value that differs from run to run is shown as a word, such as `PID`.
    pub(crate) fn hide(mut self, value: impl ToString, word: &str) -> Setup {
        self.hidden.push((value.to_string(), word.to_owned()));
        self
    }

    /// The same with one more variable.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Setup {
        self.program = self.program.env(name, value);
        self
    }

    /// The same with arguments, separated by blanks.
    pub(crate) fn say(mut self, words: &str) -> Setup {
        self.program = self.program.args(words.split(' '));
        self
    }
}

impl From<Program> for Setup {
    fn from(program: Program) -> Setup {
        Setup::of(program)
    }
}
