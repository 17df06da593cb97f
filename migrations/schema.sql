-- The schema as it should be: the model. Change it here, then `pgmarch create "what changes"` writes the revision
-- that leads to it, up and down, and `pgmarch check` tells whether the revisions do.
--
-- The API server fixes these names and types, hence integer keys, json and timestamp without time zone:
-- it sends and expects naive UTC.
--
-- Some unique constraints are wider than uniqueness needs (services.name and certificates.name are unique by
-- themselves): their index also serves look-ups by the leading column.


-- Core: users and clusters ----------------------------------------------------------------------------

CREATE TABLE auth_user (
    id             serial        PRIMARY KEY,
    email          varchar(255)  NOT NULL,
    username       varchar(128)  NOT NULL,
    password_hash  varchar(255)  NOT NULL,
    first_name     varchar(128),
    last_name      varchar(128),
    totp_secret    varchar(32),
    totp_enabled   boolean       DEFAULT false,
    is_active      boolean       DEFAULT true,
    is_admin       boolean       DEFAULT false,
    is_verified    boolean       DEFAULT false,
    created_at     timestamp     NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    updated_at     timestamp     DEFAULT (now() AT TIME ZONE 'utc'),
    last_login     timestamp,

    CONSTRAINT auth_user_email_key    UNIQUE (email),
    CONSTRAINT auth_user_username_key UNIQUE (username)
);

COMMENT ON TABLE  auth_user               IS 'People who can sign in. Times are UTC.';
COMMENT ON COLUMN auth_user.password_hash IS 'Secret: hash of the password, never the password';
COMMENT ON COLUMN auth_user.totp_secret   IS 'Secret: shared key of the second factor (TOTP)';
COMMENT ON COLUMN auth_user.totp_enabled  IS 'Whether signing in asks for a one-time code';
COMMENT ON COLUMN auth_user.is_admin      IS 'An administrator needs no assignment to see a cluster or service';


CREATE TABLE clusters (
    id               serial        PRIMARY KEY,
    name             varchar(100)  NOT NULL,
    description      text,
    api_key_hash     varchar(255)  NOT NULL,
    syslog_endpoint  varchar(255),
    log_auth         boolean       DEFAULT true,
    log_netflow      boolean       DEFAULT false,
    log_debug        boolean       DEFAULT false,
    is_active        boolean       DEFAULT true,
    is_default       boolean       DEFAULT false,
    max_proxies      integer       DEFAULT 3,
    created_by       integer       NOT NULL,
    created_at       timestamp     NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    updated_at       timestamp     DEFAULT (now() AT TIME ZONE 'utc'),
    metadata         json,

    CONSTRAINT clusters_name_key         UNIQUE (name),
    CONSTRAINT clusters_api_key_hash_key UNIQUE (api_key_hash),
    CONSTRAINT clusters_created_by_fkey
        FOREIGN KEY (created_by) REFERENCES auth_user (id) ON DELETE RESTRICT
);

CREATE INDEX ix_clusters_created_by ON clusters (created_by);

COMMENT ON TABLE  clusters                 IS 'Groups of proxies that share an API key. Times are UTC.';
COMMENT ON COLUMN clusters.api_key_hash    IS 'Secret: SHA-256, in hex, of the key with which proxies register';
COMMENT ON COLUMN clusters.syslog_endpoint IS 'Where proxies send their logs, as host:port';
COMMENT ON COLUMN clusters.log_auth        IS 'Whether proxies log authentication events';
COMMENT ON COLUMN clusters.log_netflow     IS 'Whether proxies log network flows';
COMMENT ON COLUMN clusters.log_debug       IS 'Whether proxies log at debug level';
COMMENT ON COLUMN clusters.max_proxies     IS 'Limit on registered proxies (Community: 3), enforced by the application';
COMMENT ON COLUMN clusters.created_by      IS 'The creator, who cannot be deleted while the cluster exists';
COMMENT ON COLUMN clusters.metadata        IS 'JSON, free form';


CREATE TABLE services (
    id                     serial        PRIMARY KEY,
    name                   varchar(100)  NOT NULL,
    ip_fqdn                varchar(255)  NOT NULL,
    port                   integer       NOT NULL,
    protocol               varchar(10)   DEFAULT 'tcp',
    collection             varchar(100),
    cluster_id             integer       NOT NULL,
    auth_type              varchar(20)   DEFAULT 'none',
    token_base64           varchar(255),
    jwt_secret             varchar(255),
    jwt_expiry             integer       DEFAULT 3600,
    jwt_algorithm          varchar(10)   DEFAULT 'HS256',
    tls_enabled            boolean       DEFAULT false,
    tls_verify             boolean       DEFAULT true,
    health_check_enabled   boolean       DEFAULT false,
    health_check_path      varchar(255),
    health_check_interval  integer       DEFAULT 30,
    is_active              boolean       DEFAULT true,
    created_by             integer       NOT NULL,
    created_at             timestamp     NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    updated_at             timestamp     DEFAULT (now() AT TIME ZONE 'utc'),
    metadata               json,

    CONSTRAINT services_name_key            UNIQUE (name),
    CONSTRAINT services_cluster_id_name_key UNIQUE (cluster_id, name),
    CONSTRAINT services_cluster_id_fkey
        FOREIGN KEY (cluster_id) REFERENCES clusters (id) ON DELETE CASCADE,

    CONSTRAINT services_port_check CHECK (port BETWEEN 1 AND 65535),
    -- COLLATE "C": in a Turkish locale the lower case of ICMP has a dotless i.
    CONSTRAINT services_protocol_check
        CHECK (lower(protocol COLLATE "C") IN ('tcp', 'udp', 'icmp', 'http', 'https', 'http3')),
    CONSTRAINT services_auth_type_check CHECK (auth_type IN ('none', 'base64', 'jwt'))
);

CREATE INDEX ix_services_cluster_id_is_active ON services (cluster_id, is_active);

COMMENT ON TABLE  services                       IS 'Backends that the proxies of a cluster serve. Times are UTC.';
COMMENT ON COLUMN services.ip_fqdn               IS 'IP address or fully qualified domain name of the backend';
COMMENT ON COLUMN services.protocol              IS 'tcp, udp, icmp, http, https or http3, in any case';
COMMENT ON COLUMN services.collection            IS 'Name of the group that the service belongs to';
COMMENT ON COLUMN services.auth_type             IS 'What a client must present: none, base64 or jwt';
COMMENT ON COLUMN services.token_base64          IS 'Secret: the token itself, in Base64';
COMMENT ON COLUMN services.jwt_secret            IS 'Secret: key that signs and verifies the JSON web tokens';
COMMENT ON COLUMN services.jwt_expiry            IS 'Seconds for which a JSON web token is valid';
COMMENT ON COLUMN services.jwt_algorithm         IS 'Signing algorithm, by its JWA name';
COMMENT ON COLUMN services.tls_verify            IS 'Whether the certificate of the backend is verified';
COMMENT ON COLUMN services.health_check_interval IS 'Seconds between two health checks';
COMMENT ON COLUMN services.created_by            IS 'Audit: auth_user.id, no foreign key: the user may be gone';
COMMENT ON COLUMN services.metadata              IS 'JSON, free form';


CREATE TABLE proxy_servers (
    id                     serial        PRIMARY KEY,
    name                   varchar(100)  NOT NULL,
    hostname               varchar(255)  NOT NULL,
    ip_address             varchar(45)   NOT NULL,
    port                   integer       DEFAULT 8080,
    cluster_id             integer       NOT NULL,
    status                 varchar(20)   DEFAULT 'pending',
    version                varchar(50),
    capabilities           json,
    license_validated      boolean       DEFAULT false,
    license_validation_at  timestamp,
    last_seen              timestamp,
    last_config_fetch      timestamp,
    config_version         varchar(64),
    registered_at          timestamp     DEFAULT (now() AT TIME ZONE 'utc'),
    metadata               json,

    CONSTRAINT proxy_servers_name_key            UNIQUE (name),
    CONSTRAINT proxy_servers_cluster_id_name_key UNIQUE (cluster_id, name),
    CONSTRAINT proxy_servers_cluster_id_fkey
        FOREIGN KEY (cluster_id) REFERENCES clusters (id) ON DELETE CASCADE,

    CONSTRAINT proxy_servers_port_check   CHECK (port BETWEEN 1 AND 65535),
    CONSTRAINT proxy_servers_status_check CHECK (lower(status COLLATE "C") IN ('pending', 'active', 'offline'))
);

CREATE INDEX ix_proxy_servers_cluster_id_status ON proxy_servers (cluster_id, status);

COMMENT ON TABLE  proxy_servers                       IS 'Proxies that registered with a cluster. Times are UTC.';
COMMENT ON COLUMN proxy_servers.ip_address            IS 'IPv4 or IPv6 address, as text';
COMMENT ON COLUMN proxy_servers.status                IS 'pending, active or offline, in any case';
COMMENT ON COLUMN proxy_servers.version               IS 'Version of the proxy software';
COMMENT ON COLUMN proxy_servers.capabilities          IS 'JSON object: what the proxy said it can do';
COMMENT ON COLUMN proxy_servers.license_validation_at IS 'When license_validated was last determined';
COMMENT ON COLUMN proxy_servers.last_seen             IS 'Last heartbeat';
COMMENT ON COLUMN proxy_servers.config_version        IS 'Hash of the configuration that the proxy runs';
COMMENT ON COLUMN proxy_servers.metadata              IS 'JSON, free form';


CREATE TABLE user_cluster_assignments (
    id           serial       PRIMARY KEY,
    user_id      integer      NOT NULL,
    cluster_id   integer      NOT NULL,
    role         varchar(50)  DEFAULT 'viewer',
    assigned_by  integer      NOT NULL,
    assigned_at  timestamp    DEFAULT (now() AT TIME ZONE 'utc'),
    is_active    boolean      DEFAULT true,

    CONSTRAINT uq_user_cluster_assignment UNIQUE (user_id, cluster_id),
    CONSTRAINT user_cluster_assignments_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES auth_user (id) ON DELETE CASCADE,
    CONSTRAINT user_cluster_assignments_cluster_id_fkey
        FOREIGN KEY (cluster_id) REFERENCES clusters (id) ON DELETE CASCADE
);

CREATE INDEX ix_user_cluster_assignments_cluster_id ON user_cluster_assignments (cluster_id);

COMMENT ON TABLE  user_cluster_assignments             IS 'Which user may do what in which cluster. Times are UTC.';
COMMENT ON COLUMN user_cluster_assignments.role        IS 'Role in this cluster; the application knows the names';
COMMENT ON COLUMN user_cluster_assignments.assigned_by IS 'Audit: auth_user.id, no foreign key: the user may be gone';


CREATE TABLE user_service_assignments (
    id           serial     PRIMARY KEY,
    user_id      integer    NOT NULL,
    service_id   integer    NOT NULL,
    assigned_by  integer    NOT NULL,
    assigned_at  timestamp  DEFAULT (now() AT TIME ZONE 'utc'),
    is_active    boolean    DEFAULT true,

    CONSTRAINT uq_user_service_assignment UNIQUE (user_id, service_id),
    CONSTRAINT user_service_assignments_user_id_fkey
        FOREIGN KEY (user_id) REFERENCES auth_user (id) ON DELETE CASCADE,
    CONSTRAINT user_service_assignments_service_id_fkey
        FOREIGN KEY (service_id) REFERENCES services (id) ON DELETE CASCADE
);

CREATE INDEX ix_user_service_assignments_service_id ON user_service_assignments (service_id);

COMMENT ON TABLE  user_service_assignments             IS 'Which user may manage which service. Times are UTC.';
COMMENT ON COLUMN user_service_assignments.assigned_by IS 'Audit: auth_user.id, no foreign key: the user may be gone';


CREATE TABLE proxy_metrics (
    id                   serial            PRIMARY KEY,
    proxy_id             integer           NOT NULL,
    "timestamp"          timestamp         NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    cpu_usage            double precision,
    memory_usage         double precision,
    connections_active   integer,
    connections_total    integer,
    bytes_sent           bigint,
    bytes_received       bigint,
    requests_per_second  double precision,
    latency_avg          double precision,
    latency_p95          double precision,
    errors_per_second    double precision,
    metadata             json,

    CONSTRAINT proxy_metrics_timestamp_proxy_id_key UNIQUE ("timestamp", proxy_id),
    CONSTRAINT proxy_metrics_proxy_id_fkey
        FOREIGN KEY (proxy_id) REFERENCES proxy_servers (id) ON DELETE CASCADE,

    CONSTRAINT proxy_metrics_connections_active_check CHECK (connections_active >= 0),
    CONSTRAINT proxy_metrics_connections_total_check  CHECK (connections_total >= 0),
    CONSTRAINT proxy_metrics_bytes_sent_check         CHECK (bytes_sent >= 0),
    CONSTRAINT proxy_metrics_bytes_received_check     CHECK (bytes_received >= 0)
);

CREATE INDEX ix_proxy_metrics_proxy_id_timestamp ON proxy_metrics (proxy_id, "timestamp");

COMMENT ON TABLE  proxy_metrics                    IS 'What proxies measured, one row per report. Times are UTC.';
COMMENT ON COLUMN proxy_metrics."timestamp"        IS 'When it was measured';
COMMENT ON COLUMN proxy_metrics.cpu_usage          IS 'Percent, 0 to 100';
COMMENT ON COLUMN proxy_metrics.memory_usage       IS 'Percent, 0 to 100';
COMMENT ON COLUMN proxy_metrics.connections_active IS 'Connections open at that moment';
COMMENT ON COLUMN proxy_metrics.connections_total  IS 'Connections counted so far';
COMMENT ON COLUMN proxy_metrics.bytes_sent         IS 'Bytes counted so far';
COMMENT ON COLUMN proxy_metrics.bytes_received     IS 'Bytes counted so far';
COMMENT ON COLUMN proxy_metrics.latency_avg        IS 'Milliseconds, mean';
COMMENT ON COLUMN proxy_metrics.latency_p95        IS 'Milliseconds, 95th percentile';
COMMENT ON COLUMN proxy_metrics.metadata           IS 'JSON, free form';


-- Certificates ----------------------------------------------------------------------------------------

CREATE TABLE certificates (
    id                     serial        PRIMARY KEY,
    name                   varchar(100)  NOT NULL,
    description            text,
    cert_data              text          NOT NULL,
    key_data               text          NOT NULL,
    ca_chain               text,
    source_type            varchar(20)   NOT NULL,
    common_name            varchar(255),
    subject_alt_names      text,
    issuer                 varchar(255),
    valid_from             timestamp,
    valid_until            timestamp     NOT NULL,
    auto_renew             boolean       NOT NULL DEFAULT false,
    renew_before_days      integer       NOT NULL DEFAULT 30,
    infisical_secret_path  varchar(255),
    infisical_project_id   varchar(100),
    infisical_environment  varchar(50),
    vault_path             varchar(255),
    vault_role             varchar(100),
    vault_common_name      varchar(255),
    is_active              boolean       NOT NULL DEFAULT true,
    last_renewal           timestamp,
    renewal_error          text,
    created_by             integer       NOT NULL,
    created_at             timestamp     NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    updated_at             timestamp     NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    metadata               text,

    CONSTRAINT certificates_name_key             UNIQUE (name),
    CONSTRAINT certificates_valid_until_name_key UNIQUE (valid_until, name),

    CONSTRAINT certificates_source_type_check CHECK (source_type IN ('infisical', 'vault', 'upload'))
);

COMMENT ON TABLE  certificates                       IS 'TLS certificates and their keys. Times are UTC.';
COMMENT ON COLUMN certificates.cert_data             IS 'The certificate, PEM';
COMMENT ON COLUMN certificates.key_data              IS 'Secret: the private key, PEM';
COMMENT ON COLUMN certificates.ca_chain              IS 'Certificates of the issuing authorities, PEM';
COMMENT ON COLUMN certificates.source_type           IS 'Where it comes from: infisical, vault or upload';
COMMENT ON COLUMN certificates.common_name           IS 'CN of the subject';
COMMENT ON COLUMN certificates.subject_alt_names     IS 'A JSON array of names, held as text';
COMMENT ON COLUMN certificates.renew_before_days     IS 'With auto_renew: how many days before valid_until';
COMMENT ON COLUMN certificates.infisical_secret_path IS 'Source infisical: path of the secret';
COMMENT ON COLUMN certificates.vault_path            IS 'Source vault: path of the issuing engine';
COMMENT ON COLUMN certificates.vault_role            IS 'Source vault: role that may issue';
COMMENT ON COLUMN certificates.vault_common_name     IS 'Source vault: CN to ask for';
COMMENT ON COLUMN certificates.renewal_error         IS 'Why the last renewal failed';
COMMENT ON COLUMN certificates.created_by            IS 'Audit: auth_user.id, no foreign key: the user may be gone';
COMMENT ON COLUMN certificates.metadata              IS 'JSON, free form, held as text';


-- Enterprise ------------------------------------------------------------------------------------------

CREATE TABLE qos_policies (
    id                serial        PRIMARY KEY,
    name              varchar(100)  NOT NULL,
    description       text,
    service_id        integer       NOT NULL,
    cluster_id        integer       NOT NULL,
    bandwidth_config  json          NOT NULL
        DEFAULT '{"ingress_mbps": null, "egress_mbps": null, "burst_size_kb": 1024}',
    priority_config   json          NOT NULL
        DEFAULT '{"priority": "P2", "weight": 1, "max_latency_ms": 100, "dscp_marking": "BE"}',
    enabled           boolean       NOT NULL DEFAULT true,
    created_at        timestamp     NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    updated_at        timestamp     NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),

    CONSTRAINT qos_policies_cluster_id_name_key UNIQUE (cluster_id, name),
    CONSTRAINT qos_policies_cluster_id_fkey
        FOREIGN KEY (cluster_id) REFERENCES clusters (id) ON DELETE CASCADE
);

CREATE INDEX ix_qos_policies_service_id_cluster_id ON qos_policies (service_id, cluster_id);

COMMENT ON TABLE  qos_policies                  IS 'Traffic shaping for a service in a cluster. Times are UTC.';
COMMENT ON COLUMN qos_policies.service_id       IS 'services.id; no foreign key';
COMMENT ON COLUMN qos_policies.bandwidth_config
    IS 'JSON object: ingress_mbps, egress_mbps (null: no limit), burst_size_kb';
COMMENT ON COLUMN qos_policies.priority_config
    IS 'JSON object: priority (P0 to P3), weight, max_latency_ms, dscp_marking';


CREATE TABLE route_tables (
    id                    serial        PRIMARY KEY,
    name                  varchar(100)  NOT NULL,
    description           text,
    service_id            integer       NOT NULL,
    cluster_id            integer       NOT NULL,
    algorithm             varchar(20)   NOT NULL DEFAULT 'latency',
    routes                json          NOT NULL DEFAULT '[]',
    health_probe_config   json          NOT NULL
        DEFAULT '{"protocol": "tcp", "port": null, "path": null, "interval_seconds": 30, "timeout_seconds": 5, "unhealthy_threshold": 3, "healthy_threshold": 2}',
    enable_auto_failover  boolean       NOT NULL DEFAULT true,
    enabled               boolean       NOT NULL DEFAULT true,
    created_at            timestamp     NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    updated_at            timestamp     NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),

    CONSTRAINT route_tables_cluster_id_name_key UNIQUE (cluster_id, name),
    CONSTRAINT route_tables_cluster_id_fkey
        FOREIGN KEY (cluster_id) REFERENCES clusters (id) ON DELETE CASCADE,

    CONSTRAINT route_tables_algorithm_check CHECK (algorithm IN ('latency', 'cost', 'geo', 'weighted_rr', 'failover'))
);

CREATE INDEX ix_route_tables_service_id_cluster_id ON route_tables (service_id, cluster_id);

COMMENT ON TABLE  route_tables                     IS 'Routes of a service across clouds. Times are UTC.';
COMMENT ON COLUMN route_tables.service_id          IS 'services.id; no foreign key';
COMMENT ON COLUMN route_tables.algorithm
    IS 'latency, cost, geo, weighted_rr (weighted round robin) or failover';
COMMENT ON COLUMN route_tables.routes
    IS 'JSON array of objects: provider, region, endpoint, weight, cost_per_gb, is_active';
COMMENT ON COLUMN route_tables.health_probe_config
    IS 'JSON object: protocol, port, path, interval_seconds, timeout_seconds, unhealthy_threshold, healthy_threshold';


CREATE TABLE route_health_status (
    id                     serial            PRIMARY KEY,
    route_table_id         integer           NOT NULL,
    endpoint               varchar(255)      NOT NULL,
    is_healthy             boolean           NOT NULL DEFAULT true,
    last_check             timestamp         NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    rtt_ms                 double precision,
    consecutive_failures   integer           NOT NULL DEFAULT 0,
    consecutive_successes  integer           NOT NULL DEFAULT 0,
    last_error             text,

    CONSTRAINT route_health_status_route_table_id_endpoint_key UNIQUE (route_table_id, endpoint),
    CONSTRAINT route_health_status_route_table_id_fkey
        FOREIGN KEY (route_table_id) REFERENCES route_tables (id) ON DELETE CASCADE,

    CONSTRAINT route_health_status_consecutive_failures_check  CHECK (consecutive_failures >= 0),
    CONSTRAINT route_health_status_consecutive_successes_check CHECK (consecutive_successes >= 0)
);

COMMENT ON TABLE  route_health_status          IS 'The latest health of each endpoint of a route table. Times are UTC.';
COMMENT ON COLUMN route_health_status.endpoint IS 'As in the routes of the route table';
COMMENT ON COLUMN route_health_status.rtt_ms   IS 'Round trip, in milliseconds';


CREATE TABLE tracing_configs (
    id                        serial            PRIMARY KEY,
    name                      varchar(100)      NOT NULL,
    description               text,
    cluster_id                integer           NOT NULL,
    backend                   varchar(20)       NOT NULL DEFAULT 'jaeger',
    endpoint                  varchar(255)      NOT NULL,
    exporter                  varchar(20)       NOT NULL DEFAULT 'grpc',
    sampling_strategy         varchar(20)       NOT NULL DEFAULT 'probabilistic',
    sampling_rate             double precision  NOT NULL DEFAULT 0.1,
    max_traces_per_second     integer,
    include_request_headers   boolean           NOT NULL DEFAULT false,
    include_response_headers  boolean           NOT NULL DEFAULT false,
    include_request_body      boolean           NOT NULL DEFAULT false,
    include_response_body     boolean           NOT NULL DEFAULT false,
    max_attribute_length      integer           NOT NULL DEFAULT 512,
    service_name              varchar(100)      NOT NULL DEFAULT 'marchproxy',
    custom_tags               json,
    enabled                   boolean           NOT NULL DEFAULT true,
    created_at                timestamp         NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    updated_at                timestamp         NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),

    CONSTRAINT tracing_configs_cluster_id_name_key UNIQUE (cluster_id, name),
    CONSTRAINT tracing_configs_cluster_id_fkey
        FOREIGN KEY (cluster_id) REFERENCES clusters (id) ON DELETE CASCADE,

    CONSTRAINT tracing_configs_backend_check  CHECK (backend IN ('jaeger', 'zipkin', 'otlp')),
    CONSTRAINT tracing_configs_exporter_check CHECK (exporter IN ('grpc', 'http', 'thrift')),
    CONSTRAINT tracing_configs_sampling_strategy_check
        CHECK (sampling_strategy IN ('always', 'never', 'probabilistic', 'rate_limit', 'error_only', 'adaptive')),
    CONSTRAINT tracing_configs_sampling_rate_check CHECK (sampling_rate BETWEEN 0 AND 1)
);

CREATE INDEX ix_tracing_configs_cluster_id_enabled ON tracing_configs (cluster_id, enabled);

COMMENT ON TABLE  tracing_configs                       IS 'How the proxies of a cluster send traces. Times are UTC.';
COMMENT ON COLUMN tracing_configs.backend               IS 'jaeger, zipkin or otlp';
COMMENT ON COLUMN tracing_configs.endpoint              IS 'Address of the backend, as host:port';
COMMENT ON COLUMN tracing_configs.exporter              IS 'grpc, http or thrift';
COMMENT ON COLUMN tracing_configs.sampling_strategy
    IS 'always, never, probabilistic, rate_limit, error_only or adaptive';
COMMENT ON COLUMN tracing_configs.sampling_rate         IS 'Share of requests, 0 to 1; for the strategy probabilistic';
COMMENT ON COLUMN tracing_configs.max_traces_per_second IS 'For the strategy rate_limit';
COMMENT ON COLUMN tracing_configs.include_request_body  IS 'Bodies can hold personal data';
COMMENT ON COLUMN tracing_configs.include_response_body IS 'Bodies can hold personal data';
COMMENT ON COLUMN tracing_configs.max_attribute_length  IS 'Characters; longer attributes are cut off';
COMMENT ON COLUMN tracing_configs.service_name          IS 'Name under which the traces appear; not a row of services';
COMMENT ON COLUMN tracing_configs.custom_tags           IS 'JSON object: tag to value, added to every span';


CREATE TABLE tracing_stats (
    id                    serial            PRIMARY KEY,
    tracing_config_id     integer           NOT NULL,
    "timestamp"           timestamp         NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    total_spans           integer           NOT NULL DEFAULT 0,
    sampled_spans         integer           NOT NULL DEFAULT 0,
    dropped_spans         integer           NOT NULL DEFAULT 0,
    error_spans           integer           NOT NULL DEFAULT 0,
    avg_span_duration_ms  double precision,
    last_export           timestamp,

    CONSTRAINT tracing_stats_tracing_config_id_timestamp_key UNIQUE (tracing_config_id, "timestamp"),
    CONSTRAINT tracing_stats_tracing_config_id_fkey
        FOREIGN KEY (tracing_config_id) REFERENCES tracing_configs (id) ON DELETE CASCADE,

    CONSTRAINT tracing_stats_total_spans_check   CHECK (total_spans >= 0),
    CONSTRAINT tracing_stats_sampled_spans_check CHECK (sampled_spans >= 0),
    CONSTRAINT tracing_stats_dropped_spans_check CHECK (dropped_spans >= 0),
    CONSTRAINT tracing_stats_error_spans_check   CHECK (error_spans >= 0)
);

COMMENT ON TABLE  tracing_stats                      IS 'What each configuration traced over time. Times are UTC.';
COMMENT ON COLUMN tracing_stats."timestamp"          IS 'When it was counted';
COMMENT ON COLUMN tracing_stats.avg_span_duration_ms IS 'Milliseconds, mean';
COMMENT ON COLUMN tracing_stats.last_export          IS 'When spans last reached the backend';
