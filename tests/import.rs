//! `import`: what the real Alembic prints becomes revisions that build the same schema.

use crate::support::alembic::Alembic;
use crate::support::{Database, Project, pgmarch, pgmarch_without_database};

/// Ten revisions with a branch, a merge, a dependency, a batch and what can't run in a transaction.
fn alembic() -> Alembic {
    let drop = |table: &str| format!("op.drop_table({table:?})");
    Alembic::new()
        .revision("a1f0", &[], "", "Create users", "op.create_table('users', sa.Column('id', sa.Integer, primary_key=True), sa.Column('email', sa.String(320), nullable=False, unique=True))", &drop("users"))
        .revision("a2f0", &["a1f0"], "", "Add names; with a semicolon", "op.add_column('users', sa.Column('name', sa.Text(), server_default=\"it's; here\"))", "op.drop_column('users', 'name')")
        .revision("b2f0", &["a1f0"], "branch_labels = ('side',)", "Create teams", "op.create_table('teams', sa.Column('id', sa.BigInteger, primary_key=True), sa.Column('owner', sa.Integer, sa.ForeignKey('users.id')))", &drop("teams"))
        .revision("b3f0", &["b2f0"], "", "Batch", "with op.batch_alter_table('teams') as batch:\n    batch.add_column(sa.Column('slug', sa.String(40)))\n    batch.create_unique_constraint('uq_teams_slug', ['slug'])", "with op.batch_alter_table('teams') as batch:\n    batch.drop_constraint('uq_teams_slug')\n    batch.drop_column('slug')")
        .revision("c4f0", &["a2f0", "b3f0"], "", "Merge", "pass", "pass")
        .revision("x1f0", &[], "branch_labels = ('audit',)", "Create audit", "op.create_table('audit', sa.Column('at', sa.DateTime(timezone=True), server_default=sa.func.now()))", &drop("audit"))
        .revision("c5f0", &["c4f0"], "depends_on = 'audit'", "Index by hand", "with op.get_context().autocommit_block():\n    op.create_index('ix_users_name', 'users', ['name'], postgresql_concurrently=True)", "with op.get_context().autocommit_block():\n    op.drop_index('ix_users_name', postgresql_concurrently=True)")
        .revision("c6f0", &["c5f0"], "", "Function", "op.execute('''CREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN n * 2; END; $$''')", "op.execute('DROP FUNCTION twice(int)')")
        .revision("c7f0", &["c6f0"], "", "Rows", "op.bulk_insert(sa.table('users', sa.column('email', sa.String)), [{'email': 'a@b'}, {'email': \"o'b\"}])", "op.execute(\"DELETE FROM users\")")
        .revision("c8f0", &["c7f0"], "", "Check", "op.create_check_constraint('ck_email', 'users', \"email LIKE '%@%' OR id > 0\")", "op.drop_constraint('ck_email', 'users')")
}

fn schema(database: &Database) -> String {
    database.dump_without_ledger()
}

#[test]
fn ten_revisions_of_alembics_build_the_same_schema() {
    let alembic = alembic();
    let (up, log) = alembic.prints(&["upgrade", "--sql", "base:heads"]);
    let (down, _) = alembic.prints(&["downgrade", "--sql", "c8f0:base"]);
    let project = Project::new().file("notes/up.sql", &up).file("notes/down.sql", &down);
    let folder = project.path().join("migrations");
    let imports = |words: &[&str]| {
        let folder = folder.to_string_lossy().into_owned();
        pgmarch_without_database(&project).env("PGMARCH_MIGRATIONS", &folder).args(["import"]).args(words.iter().copied()).run()
    };
    let run = imports(&["notes/up.sql", "--down", "notes/down.sql", "--versions", &alembic.versions()]).exits(0);
    assert!(run.stdout.contains("a1f0_create_users.sql") && run.stdout.contains("10 revisions written"), "{run}");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let merge = read("c4f0_merge.sql");
    assert!(
        merge.starts_with("-- revision: c4f0\n-- revises: a2f0, b3f0\n-- created: 2024-03-01T10:00:00Z\n-- message: Merge\n"),
        "{merge}"
    );
    let index = read("c5f0_index_by_hand.sql");
    assert!(
        index.contains("-- depends-on: x1f0\n") && index.contains("-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY"),
        "{index}"
    );
    // A second time nothing is written over, not even in part.
    imports(&["notes/up.sql"]).exits(2).stderr_contains("revision a1f0 is there already");

    let (theirs, ours) = (Database::new(), Database::new());
    alembic.on(&theirs).run(&["upgrade", "heads"]);
    let at = |database: &Database, words: &[&str]| {
        let folder = folder.to_string_lossy().into_owned();
        pgmarch(database, &project).env("PGMARCH_MIGRATIONS", &folder).args(words.iter().copied()).run()
    };
    // The script runs also what can't run in a transaction.
    ours.psql(&at(&ours, &["upgrade", "--sql", "heads"]).exits(0).stdout);
    assert_eq!(schema(&ours), schema(&theirs));
    assert_eq!(ours.query("TABLE users"), theirs.query("TABLE users"));

    // What Alembic manages is taken over as it is, and given back.
    at(&theirs, &["upgrade", "heads"]).exits(0).stdout_is("at c8f0, nothing to do\n");
    at(&theirs, &["downgrade", "c5f0", "--yes"]).exits(0).stdout_contains("at c5f0, 3 undone");
    let mut alembic_on_ours = alembic.on(&theirs);
    assert_eq!(alembic_on_ours.run(&["upgrade", "heads"]), ["c8f0"]);
    assert_eq!(alembic_on_ours.run(&["downgrade", "base"]), Vec::<String>::new());
    ours.psql(&at(&ours, &["downgrade", "--sql", "heads:base"]).exits(0).stdout);
    assert_eq!(schema(&ours), schema(&theirs));

    // Standard input, the log in between: messages without the Python files.
    let other = Project::new();
    let mixed = format!("{log}{up}");
    pgmarch_without_database(&other).args(["import"]).stdin(&mixed).run().exits(0).stdout_contains("a2f0_add_names_with_a_semicolon.sql");
    pgmarch_without_database(&other).args(["import"]).stdin("SELECT 1;").run().exits(3).stderr_contains("no line `-- Running upgrade");
}
