//! Parameters that other drivers read from the same connection string. Those that only concern the other driver are ignored, and
//! named in the log; those that change where or how safely to connect are refused, with libpq's keyword for it.

/// What to do about a parameter of another driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ForeignParameter {
    /// It is about pools, caches, formats or timeouts of the other driver's client.
    Harmless,
    /// It changes where, as whom or how safely to connect: what to write instead.
    Refused(&'static str),
}

impl ForeignParameter {
    /// Finds a parameter; names are case-sensitive, as drivers take them.
    pub(super) fn find(name: &str) -> Option<(&'static str, Self)> {
        let harmless = HARMLESS.iter().flat_map(|(_, names)| *names).find(|known| **known == name).map(|name| (*name, Self::Harmless));
        harmless.or_else(|| REFUSED.iter().find(|(known, _)| *known == name).map(|(name, instead)| (*name, Self::Refused(instead))))
    }

    /// The names of all of them.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        HARMLESS.iter().flat_map(|(_, names)| *names).copied().chain(REFUSED.iter().map(|(name, _)| *name))
    }
}

/// By the driver or program whose documentation has them.
const HARMLESS: &[(&str, &[&str])] = &[
    (
        "Prisma, Supabase, Vercel",
        &[
            "pgbouncer",
            "supa",
            "workaround",
            "connection_limit",
            "pool_timeout",
            "socket_timeout",
            "statement_cache_size",
            "max_connection_lifetime",
            "max_idle_connection_lifetime",
            "single_use_connections",
        ],
    ),
    (
        "asyncpg, SQLAlchemy, databases",
        &[
            "prepared_statement_cache_size",
            "prepared_statement_name_func",
            "max_cached_statement_lifetime",
            "max_cacheable_statement_size",
            "command_timeout",
            "async_fallback",
            "min_size",
            "max_size",
            "pool_pre_ping",
            "pool_recycle",
            "max_overflow",
        ],
    ),
    ("Django", &["conn_max_age", "conn_health_checks", "disable_server_side_cursors"]),
    (
        "pgx, lib/pq",
        &[
            "pool_max_conns",
            "pool_min_conns",
            "pool_min_idle_conns",
            "pool_max_conn_lifetime",
            "pool_max_conn_lifetime_jitter",
            "pool_max_conn_idle_time",
            "pool_health_check_period",
            "default_query_exec_mode",
            "statement_cache_capacity",
            "statement_cache_mode",
            "description_cache_capacity",
            "prefer_simple_protocol",
            "binary_parameters",
            "disable_prepared_binary_result",
        ],
    ),
    (
        "JDBC",
        &[
            "prepareThreshold",
            "preparedStatementCacheQueries",
            "preparedStatementCacheSizeMiB",
            "defaultRowFetchSize",
            "adaptiveFetch",
            "adaptiveFetchMinimum",
            "adaptiveFetchMaximum",
            "reWriteBatchedInserts",
            "binaryTransfer",
            "binaryTransferEnable",
            "binaryTransferDisable",
            "stringtype",
            "autosave",
            "cleanupSavepoints",
            "preferQueryMode",
            "databaseMetadataCacheFields",
            "databaseMetadataCacheFieldsMiB",
            "disableColumnSanitiser",
            "logUnclosedConnections",
            "logServerErrorDetail",
            "loggerLevel",
            "loggerFile",
            "socketTimeout",
            "cancelSignalTimeout",
            "hostRecheckSeconds",
            "assumeMinServerVersion",
            "escapeSyntaxCallMode",
            "maxResultBuffer",
            "unknownLength",
            "receiveBufferSize",
            "sendBufferSize",
            "quoteReturningIdentifiers",
        ],
    ),
    (
        "node-postgres, postgres.js, TypeORM",
        &[
            "uselibpqcompat",
            "max",
            "min",
            "idle_timeout",
            "idleTimeoutMillis",
            "allowExitOnIdle",
            "max_lifetime",
            "query_timeout",
            "fetch_types",
            "prepare",
        ],
    ),
    (
        "Rails, Ecto, SQLx",
        &[
            "pool",
            "pool_size",
            "checkout_timeout",
            "reaping_frequency",
            "prepared_statements",
            "statement_limit",
            "advisory_locks",
            "queue_target",
            "queue_interval",
            "statement-cache-capacity",
        ],
    ),
];

const VERIFY: &str = "write sslmode=verify-full with sslrootcert, or sslmode=require where the certificate is not to be verified";
const SERVER_SETTING: &str = "it is a setting of the server: write options=-c%20NAME=VALUE";

const REFUSED: &[(&str, &str)] = &[
    // TLS
    ("sslaccept", VERIFY),
    ("sslidentity", "write sslcert and sslkey, as PEM files"),
    ("sslfactory", VERIFY),
    ("sslfactoryarg", VERIFY),
    ("sslhostnameverifier", VERIFY),
    ("sslpasswordcallback", "decrypt the key (openssl pkey) and protect its file by its mode"),
    ("sslMode", "write sslmode"),
    ("ssl-mode", "write sslmode"),
    ("ssl_mode", "write sslmode"),
    ("ssl_require", "write sslmode=require"),
    ("sslrequire", "write sslmode=require"),
    ("direct_tls", "write sslnegotiation=direct"),
    ("sslNegotiation", "write sslnegotiation"),
    ("sslRootCert", "write sslrootcert"),
    ("ssl-root-cert", "write sslrootcert"),
    ("ssl-ca", "write sslrootcert"),
    ("sslca", "write sslrootcert"),
    ("ssl-cert", "write sslcert"),
    ("sslCert", "write sslcert"),
    ("ssl-key", "write sslkey"),
    ("sslKey", "write sslkey"),
    ("sslinline", "write the certificates to files, and name them with sslrootcert, sslcert and sslkey"),
    ("channelBinding", "write channel_binding"),
    ("gssEncMode", "write gssencmode=disable"),
    ("requireAuth", "write require_auth"),
    // Where and as whom
    ("database", "write dbname"),
    ("username", "write user"),
    ("targetServerType", "write target_session_attrs"),
    ("loadBalanceHosts", "write load_balance_hosts"),
    ("socketFactory", "write host and port of the server, or of the proxy to it"),
    ("cloudSqlInstance", "write host and port of the server, or of the proxy to it"),
    ("socket", "write host=FOLDER"),
    // What a session begins with
    ("currentSchema", "write options=-c%20search_path=SCHEMA"),
    ("search_path", "write options=-c%20search_path=SCHEMA"),
    ("schema_search_path", "write options=-c%20search_path=SCHEMA"),
    ("readOnly", "write target_session_attrs, or options=-c%20default_transaction_read_only=on"),
    ("server_settings", SERVER_SETTING),
    ("statement_timeout", SERVER_SETTING),
    ("lock_timeout", SERVER_SETTING),
    ("idle_in_transaction_session_timeout", SERVER_SETTING),
    ("timezone", SERVER_SETTING),
    ("TimeZone", SERVER_SETTING),
    ("DateStyle", SERVER_SETTING),
    ("datestyle", SERVER_SETTING),
    ("role", SERVER_SETTING),
    ("default_transaction_isolation", SERVER_SETTING),
    ("default_transaction_read_only", SERVER_SETTING),
    ("encoding", "write client_encoding"),
    ("ApplicationName", "write application_name"),
    // How long
    ("connectTimeout", "write connect_timeout, in seconds"),
    ("connectionTimeoutMillis", "write connect_timeout, in seconds"),
    ("loginTimeout", "write connect_timeout, in seconds"),
    ("timeout", "write connect_timeout, in seconds"),
    ("tcpKeepAlive", "write keepalives"),
    ("keepAlive", "write keepalives"),
    ("keepAliveInitialDelayMillis", "write keepalives_idle, in seconds"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::conninfo::keyword::Keyword;

    #[test]
    fn a_parameter_is_in_one_list_and_no_keyword_of_libpq() {
        let names: Vec<&str> = ForeignParameter::names().collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        for name in names {
            assert!(Keyword::find(name).is_none(), "{name}");
            assert!(ForeignParameter::find(name).is_some(), "{name}");
        }
    }
}
