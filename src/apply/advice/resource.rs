//! A server that has no disk space, memory or connections left, reached a limit, or can't read or write a file.

use tokio_postgres::error::DbError;

/// What to do about it.
pub(super) fn advice(error: &DbError) -> String {
    let setting = ["max_locks_per_transaction", "max_pred_locks_per_transaction", "temp_file_limit", "max_connections"]
        .into_iter()
        .find(|setting| [error.hint(), Some(error.message())].into_iter().flatten().any(|text| text.contains(setting)));
    match (error.code().code(), setting) {
        ("53400", Some("temp_file_limit")) => {
            "the statement's temporary files reached the server's temp_file_limit: raise it (ALTER ROLE … SET temp_file_limit, as a superuser), or raise maintenance_work_mem and work_mem in the revision".to_owned()
        }
        ("53200", Some(setting)) => format!("the server's shared memory is full: raise {setting} and restart the server, or split the revision"),
        (_, Some(setting)) => format!("the server reached its limit {setting}: raise it"),
        ("53100", None) => "the server's disk is full: free space on the volume of its data directory or tablespace (SHOW data_directory; pg_tablespace_location)".to_owned(),
        ("53200", None) => "the server is out of memory: give it more, or lower work_mem and maintenance_work_mem".to_owned(),
        ("53300", None) => "the server has no free connection: raise max_connections, or end sessions (pg_stat_activity)".to_owned(),
        ("53400", None) => "the server reached a configured limit, which the error names: raise it".to_owned(),
        ("58P01", None) => "a file that the statement needs is missing on the server, as its message says: install it there (the package of an extension, the file of a COPY)".to_owned(),
        (code, None) if code.starts_with("58") => {
            "the server can't read or write a file: look at its log and at the disk that the error names".to_owned()
        }
        _ => "give the server the resource that the error names".to_owned(),
    }
}
