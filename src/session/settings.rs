//! Connection settings, read with the files that they name in a thread for blocking work: probes, signals and connections are answered
//! meanwhile. The time that a file may take is not part of a connection's. Each file is read once for each of these calls.

use pg_connect::{ConnectError, ConnectTarget, Conninfo, Environment, SettingsError};

/// Where and how to connect, decided now.
pub(crate) async fn read_target(environment: &Environment) -> Result<ConnectTarget, ConnectError> {
    in_background(environment, ConnectTarget::of).await
}

/// The keywords with their values.
pub(crate) async fn read_conninfo(environment: &Environment) -> Result<Conninfo, ConnectError> {
    in_background(environment, Conninfo::resolve).await
}

/// The environment for the connection whose string the variable `name` has; the same one if that is not set.
pub(crate) async fn environment_for(environment: &Environment, name: &'static str) -> Result<Environment, ConnectError> {
    let read = move |environment: &Environment| environment.value(name).map_err(|fault| vec![fault.into()]);
    let url = in_background(environment, read).await?;
    Ok(url.map_or_else(|| environment.clone(), |url| environment.with("PGMARCH_DATABASE_URL", url)))
}

async fn in_background<T: Send + 'static>(
    environment: &Environment,
    read: impl FnOnce(&Environment) -> Result<T, Vec<SettingsError>> + Send + 'static,
) -> Result<T, ConnectError> {
    let environment = environment.for_one_try();
    match tokio::task::spawn_blocking(move || read(&environment)).await {
        Ok(outcome) => outcome.map_err(ConnectError::Settings),
        Err(error) => Err(ConnectError::NoAttempt(error.to_string())),
    }
}
