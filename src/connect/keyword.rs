//! libpq's keywords (PostgreSQL manual, 34.1.2) and variables (34.15), in one table: what pgmarch makes of each.

/// One keyword of libpq.
#[derive(Debug)]
pub struct Keyword {
    /// As it stands in a connection string.
    pub name: &'static str,
    /// The variable that fills it; empty where there is none.
    pub variable: &'static str,
    /// Why pgmarch refuses it, and what to do instead; empty if it does what the keyword says.
    pub refused: &'static str,
}

impl Keyword {
    /// Finds a keyword by its name.
    pub fn find(name: &str) -> Option<&'static Keyword> {
        KEYWORDS.iter().find(|keyword| keyword.name == name)
    }
}

macro_rules! keywords {
    ($($name:literal, $variable:literal, $refused:literal;)*) => {
        /// Every keyword of libpq 13 to 18.
        pub const KEYWORDS: &[Keyword] = &[$(Keyword { name: $name, variable: $variable, refused: $refused },)*];
    };
}

keywords! {
    "host", "PGHOST", "";
    "hostaddr", "PGHOSTADDR", "";
    "port", "PGPORT", "";
    "dbname", "PGDATABASE", "";
    "user", "PGUSER", "";
    "password", "PGPASSWORD", "";
    "passfile", "PGPASSFILE", "";
    "service", "PGSERVICE", "";
    "servicefile", "PGSERVICEFILE", "";
    "require_auth", "PGREQUIREAUTH", "";
    "channel_binding", "PGCHANNELBINDING", "";
    "connect_timeout", "PGCONNECT_TIMEOUT", "";
    "client_encoding", "PGCLIENTENCODING", "";
    "options", "PGOPTIONS", "";
    "application_name", "PGAPPNAME", "";
    "fallback_application_name", "", "";
    "keepalives", "", "";
    "keepalives_idle", "", "";
    "keepalives_interval", "", "";
    "keepalives_count", "", "";
    "tcp_user_timeout", "", "";
    "target_session_attrs", "PGTARGETSESSIONATTRS", "";
    "load_balance_hosts", "PGLOADBALANCEHOSTS", "";
    "replication", "", "";
    "gssencmode", "PGGSSENCMODE", "";
    "sslmode", "PGSSLMODE", "";
    "sslnegotiation", "PGSSLNEGOTIATION", "";
    "sslcompression", "PGSSLCOMPRESSION", "";
    "sslcert", "PGSSLCERT", "";
    "sslkey", "PGSSLKEY", "";
    "sslcertmode", "PGSSLCERTMODE", "";
    "sslrootcert", "PGSSLROOTCERT", "";
    "sslcrl", "PGSSLCRL", "";
    "sslsni", "PGSSLSNI", "";
    "requirepeer", "PGREQUIREPEER", "";
    "ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", "";
    "ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", "";
    "min_protocol_version", "PGMINPROTOCOLVERSION", "";
    "max_protocol_version", "PGMAXPROTOCOLVERSION", "";
    "sslpassword", "", "decrypt the key (openssl pkey) and protect its file by its mode";
    "sslcrldir", "PGSSLCRLDIR", "join the lists into one file and name it with sslcrl";
    "sslkeylogfile", "", "it writes the keys of the connection to a file; take it out";
    "krbsrvname", "PGKRBSRVNAME", "pgmarch speaks no GSSAPI; take it out";
    "gsslib", "PGGSSLIB", "pgmarch speaks no GSSAPI; take it out";
    "gssdelegation", "PGGSSDELEGATION", "pgmarch speaks no GSSAPI; take it out";
    "scram_client_key", "", "give the password";
    "scram_server_key", "", "give the password";
    "oauth_issuer", "", "pgmarch speaks no OAuth; take it out, or give a token as the password where the server takes one";
    "oauth_client_id", "", "pgmarch speaks no OAuth; take it out";
    "oauth_client_secret", "", "pgmarch speaks no OAuth; take it out";
    "oauth_scope", "", "pgmarch speaks no OAuth; take it out";
}
