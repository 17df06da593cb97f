//! libpq-compatible connecting to PostgreSQL, for [`tokio_postgres`]: the same settings, the same sources, the same order.
//!
//! [`Environment`] holds the variables, [`ConnectTarget::of`] decides and checks every setting, and [`connect`] tries hosts,
//! addresses and TLS modes until a server accepts the login. The result is a client of `tokio_postgres` and a
//! [`ConnectionHandle`] that cancels and terminates.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use pg_connect::{ConnectOptions, ConnectTarget, Environment, OpenConnection, Program, connect};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let program = Program { name: "example", prefix: "EXAMPLE_", connection_strings: &["EXAMPLE_DATABASE_URL", "DATABASE_URL"] };
//! // DATABASE_URL or DATABASE_URL_FILE, PGHOST, PGPASSFILE, PGSERVICE…
//! let environment = Environment::of_process(program).map_err(|faults| format!("{faults:?}"))?;
//! let target = ConnectTarget::of(&environment).map_err(|faults| format!("{faults:?}"))?;
//! let options = ConnectOptions {
//!     application_name: "example",
//!     timeout: Duration::from_secs(5),
//!     deadline: None,
//!     on_notice: |notice| eprintln!("{notice}"),
//! };
//! let OpenConnection { client, connection, handle } = connect(&target, options).await?;
//! let driver = tokio::spawn({
//!     let handle = handle.clone();
//!     async move { handle.drive(connection, |notice| eprintln!("{notice}")).await }
//! });
//! client.simple_query("SELECT 1").await?;
//! handle.terminate();
//! driver.await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! [`SettingsError`] is a wrong setting, with its source. [`ConnectError`] is a failed attempt;
//! [`ConnectError::retry_verdict`] tells whether another one may succeed, and if not, what an administrator has to change.
//! Messages never contain a password.
//!
//! # Layout
//!
//! - [`environment`]: variables, the files that they name, [`Secret`].
//! - [`conninfo`]: connection strings, service files and variables, merged: [`Conninfo`].
//! - [`target`]: every setting, decided and checked: [`ConnectTarget`]; password files.
//! - [`tls`]: TLS as libpq configures it: modes, certificates, verification, channel binding.
//! - [`protocol`]: the guard that checks every byte from the server before the driver sees it.
//! - [`stream`]: a socket with or without TLS, behind that guard.
//! - [`login`]: [`connect`]: hosts, addresses, TLS modes; [`ConnectionHandle`]: cancel and terminate.
//! - [`file`](mod@file): files, read in bounded size and time.
//! - [`error`]: why there is no connection.
//! - [`words`]: text of messages.

mod account;
pub mod conninfo;
pub mod environment;
pub mod error;
pub mod file;
pub mod login;
pub mod protocol;
pub mod stream;
pub mod target;
pub mod tls;
pub mod words;

pub use conninfo::Conninfo;
pub use environment::{Environment, EnvironmentError, Program, Secret};
pub use error::{ConnectError, ConninfoError, SettingsError};
pub use login::{ConnectOptions, ConnectRefusal, ConnectionHandle, OpenConnection, ResolveError, RetryVerdict, connect};
pub use target::ConnectTarget;

/// The example of the README is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
