//! The names by which this process identifies itself to the server.

/// The `application_name`: `pgmarch/VERSION REVISION host`. The server keeps 63 bytes of it, and only ASCII.
pub fn application_name(revision: Option<&str>) -> String {
    let host = host_name();
    let words = [concat!("pgmarch/", env!("CARGO_PKG_VERSION")), revision.unwrap_or(""), host.as_str()];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().map(|c| if c.is_ascii_graphic() { c } else { ' ' }).take(63).collect()
}

/// The name of this host, in Kubernetes that of the pod: for the journal and for the holder of the run lock.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
