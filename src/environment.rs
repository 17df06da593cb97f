//! The environment variables that pgmarch reads besides those of libpq.

use pg_connect::Program;

/// pgmarch, as the library for connecting needs to know it.
pub const PROGRAM: Program = Program { name: "pgmarch", prefix: "PGMARCH_", connection_strings: &["PGMARCH_DATABASE_URL", "DATABASE_URL"] };

#[cfg(test)]
mod tests {
    use pg_connect::{Conninfo, Environment};

    use super::*;

    #[test]
    fn messages_name_the_variables_of_pgmarch() {
        let environment = Environment::new(PROGRAM, []).expect("UTF-8");
        let [fault] = &Conninfo::resolve(&environment).expect_err("no database")[..] else { panic!("several faults") };
        let message = "no database is named; set PGMARCH_DATABASE_URL=postgres://USER@HOST:5432/DATABASE (or DATABASE_URL, or PGHOST…)";
        assert_eq!(fault.to_string(), message);
    }
}
