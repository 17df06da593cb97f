//! What a failed attempt to connect means for the next one.

/// What a failed attempt means for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryVerdict {
    /// The cause may pass by itself.
    Wait,
    /// The cause does not pass by itself: an administrator has to act.
    Refused(ConnectRefusal),
}

/// Why a server can't be connected to until an administrator acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// Password, user or `pg_hba.conf`.
    Password,
    /// No such database.
    Database,
    /// The role lacks a right.
    Rights,
    /// Certificates, versions, or no TLS at all.
    Tls,
    /// Any other refusal.
    Other,
}
