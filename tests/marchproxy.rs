//! MarchProxy's revision 001, read from the catalogs and tried by real INSERTs and DELETEs.

use crate::support::{Database, Project, pgmarch};

fn migrated() -> Database {
    let database = Database::new();
    pgmarch(&database, &Project::marchproxy()).run().exits(0).stdout_contains("at 001, 1 applied");
    database
}

fn strings(rows: &[&[&str]]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
}

#[test]
fn the_schema_has_exactly_the_counts_of_its_specification() {
    let database = migrated();
    let count = |sql: &str| database.one(&format!("SELECT count(*)::text FROM {sql}"));
    assert_eq!(count("pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"), "13");
    let indexes = "pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace";
    assert_eq!(count(indexes), "41");
    assert_eq!(count(&format!("{indexes} AND indisprimary")), "14");
    let constraints = |kind: &str| count(&format!("pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = '{kind}'"));
    assert_eq!((constraints("p"), constraints("u"), constraints("f")), ("14".into(), "18".into(), "13".into()));
    assert_eq!(
        count(&format!(
            "{indexes} AND NOT indisprimary AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND contype = 'u')"
        )),
        "9"
    );
}

#[test]
fn each_column_has_its_type_and_default() {
    let database = migrated();
    let columns = "SELECT c.relname || '|' || a.attname || '|' || format_type(a.atttypid, a.atttypmod) || '|' || left(a.attnotnull::text, 1) || '|' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') \
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
         WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'alembic_version' ORDER BY c.oid, a.attnum";
    let found: Vec<String> = database.query(columns).into_iter().flatten().collect();
    let expected = include_str!("fixtures/marchproxy/columns.txt");
    // PostgreSQL 13 prints AT TIME ZONE as the function behind it.
    let expected = if database.major() == 13 {
        expected.replace("(now() AT TIME ZONE 'utc'::text)", "timezone('utc'::text, now())")
    } else {
        expected.to_owned()
    };
    assert_eq!(found, expected.lines().collect::<Vec<_>>());
}

#[test]
fn secondary_indexes_lead_with_the_columns_they_should() {
    let database = migrated();
    let found = database.query(
        "SELECT t.relname || '(' || (SELECT string_agg(a.attname, ', ' ORDER BY k.place) FROM unnest(i.indkey::smallint[]) WITH ORDINALITY k(number, place) JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.number) || ')' \
         FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid WHERE t.relnamespace = 'public'::regnamespace AND NOT indisprimary AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND contype = 'u') ORDER BY 1",
    );
    let expected = [
        "clusters(created_by)",
        "proxy_metrics(proxy_id, timestamp)",
        "proxy_servers(cluster_id, status)",
        "qos_policies(service_id, cluster_id)",
        "route_tables(service_id, cluster_id)",
        "services(cluster_id, is_active)",
        "tracing_configs(cluster_id, enabled)",
        "user_cluster_assignments(cluster_id)",
        "user_service_assignments(service_id)",
    ];
    assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), expected);
}

#[test]
fn foreign_keys_have_their_rules() {
    let database = migrated();
    let found = database.query(
        "SELECT conrelid::regclass::text || '.' || (SELECT attname FROM pg_attribute WHERE attrelid = conrelid AND attnum = conkey[1]) || ' ' || confrelid::regclass::text || ' ' || confdeltype::text \
         FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1",
    );
    let expected = [
        "clusters.created_by auth_user r",
        "proxy_metrics.proxy_id proxy_servers c",
        "proxy_servers.cluster_id clusters c",
        "qos_policies.cluster_id clusters c",
        "route_health_status.route_table_id route_tables c",
        "route_tables.cluster_id clusters c",
        "services.cluster_id clusters c",
        "tracing_configs.cluster_id clusters c",
        "tracing_stats.tracing_config_id tracing_configs c",
        "user_cluster_assignments.cluster_id clusters c",
        "user_cluster_assignments.user_id auth_user c",
        "user_service_assignments.service_id services c",
        "user_service_assignments.user_id auth_user c",
    ];
    assert_eq!(found.into_iter().flatten().collect::<Vec<_>>(), expected);
}

const FILLED: &str = "
    INSERT INTO auth_user (email, username, password_hash) VALUES ('a@b.c', 'a', 'x'), ('b@b.c', 'b', 'x');
    INSERT INTO clusters (name, api_key_hash, created_by) VALUES ('c', 'k', 1);
    INSERT INTO services (name, ip_fqdn, port, cluster_id, created_by) VALUES ('s', '10.0.0.1', 80, 1, 1);
    INSERT INTO proxy_servers (name, hostname, ip_address, cluster_id) VALUES ('p', 'h', '10.0.0.2', 1);
    INSERT INTO user_cluster_assignments (user_id, cluster_id, assigned_by) VALUES (2, 1, 1);
    INSERT INTO user_service_assignments (user_id, service_id, assigned_by) VALUES (2, 1, 1);
    INSERT INTO proxy_metrics (proxy_id) VALUES (1);
    INSERT INTO qos_policies (name, service_id, cluster_id) VALUES ('q', 1, 1);
    INSERT INTO route_tables (name, service_id, cluster_id) VALUES ('r', 1, 1);
    INSERT INTO route_health_status (route_table_id, endpoint) VALUES (1, 'e');
    INSERT INTO tracing_configs (name, cluster_id, endpoint) VALUES ('t', 1, 'e');
    INSERT INTO tracing_stats (tracing_config_id) VALUES (1);
    INSERT INTO certificates (name, cert_data, key_data, source_type, valid_until, created_by) VALUES ('c', 'x', 'y', 'vault', '2030-01-01', 1);";

#[test]
fn defaults_are_what_an_insert_gets() {
    let database = migrated();
    database.execute(FILLED);
    assert_eq!(
        database.query("SELECT is_active, is_admin, totp_enabled, is_verified, abs(extract(epoch FROM created_at - (now() AT TIME ZONE 'utc'))) < 60 FROM auth_user WHERE id = 1"),
        strings(&[&["t", "f", "f", "f", "t"]])
    );
    assert_eq!(
        database.query("SELECT protocol, auth_type, jwt_expiry, jwt_algorithm, tls_verify, health_check_interval FROM services"),
        strings(&[&["tcp", "none", "3600", "HS256", "t", "30"]])
    );
    assert_eq!(database.query("SELECT port, status, license_validated FROM proxy_servers"), strings(&[&["8080", "pending", "f"]]));
    assert_eq!(database.query("SELECT max_proxies, log_auth, log_netflow FROM clusters"), strings(&[&["3", "t", "f"]]));
    assert_eq!(
        database.query("SELECT bandwidth_config ->> 'burst_size_kb', bandwidth_config ->> 'ingress_mbps', priority_config ->> 'dscp_marking', priority_config ->> 'max_latency_ms' FROM qos_policies"),
        strings(&[&["1024", "NULL", "BE", "100"]])
    );
    assert_eq!(
        database.query("SELECT algorithm, routes::text, health_probe_config ->> 'protocol', health_probe_config ->> 'unhealthy_threshold', enable_auto_failover FROM route_tables"),
        strings(&[&["latency", "[]", "tcp", "3", "t"]])
    );
    assert_eq!(
        database
            .query("SELECT backend, exporter, sampling_strategy, sampling_rate, max_attribute_length, service_name FROM tracing_configs"),
        strings(&[&["jaeger", "grpc", "probabilistic", "0.1", "512", "marchproxy"]])
    );
    assert_eq!(database.query("SELECT auto_renew, renew_before_days, is_active FROM certificates"), strings(&[&["f", "30", "t"]]));
}

#[test]
fn closed_lists_and_ranges_are_checked() {
    let database = migrated();
    database.execute(FILLED);
    let session = database.session();
    for good in [
        "UPDATE services SET protocol = 'HTTP3'",
        "UPDATE proxy_servers SET status = 'Active'",
        "UPDATE tracing_configs SET sampling_rate = 1",
    ] {
        session.execute(good);
    }
    for bad in [
        "UPDATE services SET protocol = 'ftp'",
        "UPDATE services SET port = 0",
        "UPDATE services SET port = 65536",
        "UPDATE services SET auth_type = 'basic'",
        "UPDATE proxy_servers SET status = 'gone'",
        "UPDATE certificates SET source_type = 'file'",
        "UPDATE route_tables SET algorithm = 'random'",
        "UPDATE route_health_status SET consecutive_failures = -1",
        "UPDATE tracing_configs SET sampling_rate = 1.1",
        "UPDATE tracing_configs SET backend = 'x'",
        "UPDATE tracing_stats SET total_spans = -1",
        "UPDATE proxy_metrics SET connections_total = -1",
    ] {
        assert_eq!(session.refusal(bad), "23514", "{bad}");
    }
}

#[test]
fn deleting_a_cluster_takes_what_is_its_and_deleting_its_creator_is_refused() {
    let database = migrated();
    database.execute(FILLED);
    let session = database.session();
    assert_eq!(session.refusal("DELETE FROM auth_user WHERE id = 1"), if database.major() >= 18 { "23001" } else { "23503" });
    session.execute("DELETE FROM auth_user WHERE id = 2");
    assert_eq!(
        session.one("SELECT (SELECT count(*) FROM user_cluster_assignments) + (SELECT count(*) FROM user_service_assignments)"),
        "0"
    );
    session.execute("DELETE FROM clusters");
    let left = "SELECT (SELECT count(*) FROM services) + (SELECT count(*) FROM proxy_servers) + (SELECT count(*) FROM proxy_metrics) + (SELECT count(*) FROM qos_policies) \
         + (SELECT count(*) FROM route_tables) + (SELECT count(*) FROM route_health_status) + (SELECT count(*) FROM tracing_configs) + (SELECT count(*) FROM tracing_stats)";
    assert_eq!(session.one(left), "0");
    assert_eq!(session.one("SELECT count(*)::text FROM certificates"), "1");
}

#[test]
fn the_down_migrations_leave_an_empty_schema() {
    let database = migrated();
    let text = Project::marchproxy().read("001_initial_schema.sql");
    let (_, down) = text.split_once("-- migrate:down").unwrap();
    database.execute(down);
    let left = "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname !~ '^alembic_version') + (SELECT count(*) FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typname !~ 'alembic_version')";
    assert_eq!(database.one(left), "0");
}

#[test]
fn the_variable_of_marchproxys_own_deployment_works_unchanged() {
    let database = Database::new();
    let url = database.url();
    let sqlalchemy = format!("postgresql+asyncpg://{}", url.split_once("://").unwrap().1);
    pgmarch(&database, &Project::marchproxy())
        .without("PGMARCH_DATABASE_URL")
        .env("DATABASE_URL", &sqlalchemy)
        .run()
        .exits(0)
        .stdout_contains("at 001");
}

#[test]
fn every_table_has_a_comment() {
    let database = migrated();
    let bare = "SELECT count(*)::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version' AND obj_description(oid) IS NULL";
    assert_eq!(database.one(bare), "0");
}
