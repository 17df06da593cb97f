//! libpq's keywords (PostgreSQL manual, 34.1.2) and variables (34.15), in one table: which are supported.

/// One keyword of libpq.
#[derive(Debug)]
pub struct Keyword {
    /// Its name in a connection string.
    pub name: &'static str,
    /// Its environment variable; empty if there is none.
    pub variable: &'static str,
    /// Why it is refused and what to do instead, with `{program}` for the program's name; empty if it is supported.
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
    "krbsrvname", "PGKRBSRVNAME", "{program} speaks no GSSAPI; take it out";
    "gsslib", "PGGSSLIB", "{program} speaks no GSSAPI; take it out";
    "gssdelegation", "PGGSSDELEGATION", "{program} speaks no GSSAPI; take it out";
    "scram_client_key", "", "give the password";
    "scram_server_key", "", "give the password";
    "oauth_issuer", "", "{program} speaks no OAuth; take it out, or give a token as the password where the server takes one";
    "oauth_client_id", "", "{program} speaks no OAuth; take it out";
    "oauth_client_secret", "", "{program} speaks no OAuth; take it out";
    "oauth_scope", "", "{program} speaks no OAuth; take it out";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_has_every_keyword() {
        let readme = include_str!("../../README.md");
        let row = |keyword: &Keyword| readme.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{}`", keyword.name)));
        for keyword in KEYWORDS {
            let row = row(keyword).unwrap_or_else(|| panic!("{} is missing", keyword.name));
            assert_eq!(row.contains("refused"), !keyword.refused.is_empty(), "{row}");
        }
    }
}
