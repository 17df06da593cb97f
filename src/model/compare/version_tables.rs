//! Version tables of other migration tools and frameworks: they are never differences. Pure.

use std::collections::BTreeSet;

use crate::model::sql_text::unquoted;
use crate::model::{Catalog, Key, ObjectKind};

/// Names as a [`Key`] has them: with a schema where the bare name says too little.
const NAMES: [&str; 57] = [
    "\"SequelizeMeta\"",
    "\"VersionInfo\"",
    "\"__EFMigrationsHistory\"",
    "\"__MigrationHistory\"",
    "__diesel_schema_migrations",
    "__drizzle_migrations",
    "_prisma_migrations",
    "_sqlx_migrations",
    "_yoyo_log",
    "_yoyo_migration",
    "_yoyo_version",
    "aerich",
    "alembic_version",
    "ar_internal_metadata",
    "atlas_schema_revisions",
    "bun_migration_locks",
    "bun_migrations",
    "databasechangelog",
    "databasechangeloglock",
    "django_migrations",
    "doctrine_migration_versions",
    "flyway_schema_history",
    "goose_db_version",
    "gorp_migrations",
    "graphile_migrate.current",
    "graphile_migrate.migrations",
    "graphile_worker.migrations",
    "knex_migrations",
    "knex_migrations_lock",
    "kysely_migration",
    "kysely_migration_lock",
    "migratehistory",
    "migrate_version",
    "mikro_orm_migrations",
    "pgmigrations",
    "pgroll.migrations",
    "phinxlog",
    "piccolo_migrations",
    "refinery_schema_history",
    "schema_migration",
    "schema_migrations",
    "schema_version",
    "schemaversion",
    "schemaversions",
    "sea_orm_migrations",
    "seaql_migrations",
    "sqitch.changes",
    "sqitch.dependencies",
    "sqitch.events",
    "sqitch.projects",
    "sqitch.releases",
    "sqitch.tags",
    "strapi_migrations",
    "supabase_migrations.seed_files",
    "tortoise_migrations",
    "typeorm_metadata",
    "yoyo_lock",
];

/// Names that other tables have too, each with all of its columns.
const NAMES_WITH_COLUMNS: [(&str, &[&str]); 4] = [
    // Laravel
    ("migrations", &["batch", "id", "migration"]),
    // TypeORM
    ("migrations", &["id", "name", "timestamp"]),
    // golang-migrate, where `x-migrations-table` names it, and CodeIgniter
    ("migrations", &["dirty", "version"]),
    // Piccolo
    ("migration", &["app_name", "id", "name", "ran_on"]),
];

/// Whether an object is the version table of a known tool.
pub(super) fn is_version_table(key: &Key, catalog: &Catalog) -> bool {
    if key.kind != ObjectKind::Table {
        return false;
    }
    let is_named = |name: &str| name == key.bare() || name == &*key.name;
    NAMES.iter().any(|name| is_named(name)) || {
        let mut alike = NAMES_WITH_COLUMNS.iter().filter(|(name, _)| is_named(name)).peekable();
        alike.peek().is_some() && {
            let own = columns(key, catalog);
            alike.any(|(_, columns)| own.iter().eq(columns.iter()))
        }
    }
}

/// The names of a table's columns, sorted.
fn columns(table: &Key, catalog: &Catalog) -> BTreeSet<String> {
    let first = Key { kind: ObjectKind::Column, name: format!("{}.", table.name).into() };
    let own = catalog.objects.range(&first..).take_while(|(key, _)| key.kind == ObjectKind::Column && key.name.starts_with(&*first.name));
    own.filter(|(_, column)| column.parent.as_ref() == Some(table)).map(|(_, column)| unquoted(&column.shown)).collect()
}
