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

/// Three revisions, of which the second reads rows in Python.
fn with_python(guarded: bool, options: &str) -> Alembic {
    let reads = "for row in op.get_bind().execute(sa.text('SELECT id FROM users')).fetchall():\n    op.execute(f'UPDATE users SET email = {row.id}')";
    let reads =
        if guarded { format!("if not context.is_offline_mode():\n    {}", reads.replace('\n', "\n    ")) } else { reads.to_owned() };
    Alembic::new()
        .configured(options)
        .revision("a1f0", &[], "", "Create users", "op.execute('CREATE TABLE users (id int, email text)')", "op.drop_table('users')")
        .revision(
            "a2f0",
            &["a1f0"],
            "from alembic import context",
            "Fill emails",
            &format!("op.execute('ALTER TABLE users ADD seen int')\n{reads}"),
            &reads,
        )
        .revision("a3f0", &["a2f0"], "", "Create teams", "op.execute('CREATE TABLE teams ()')", "op.drop_table('teams')")
}

const CONFIGURATIONS: [&str; 3] = ["", "transaction_per_migration=True", "transactional_ddl=False"];

#[test]
fn an_output_that_python_cut_off_is_refused_and_says_how_to_guard_it() {
    for options in CONFIGURATIONS {
        let alembic = with_python(false, options);
        let (cut, log, succeeds) = alembic.prints_anyway(&["upgrade", "--sql", "base:heads"]);
        assert!(!succeeds && cut.contains("-- Running upgrade a1f0 -> a2f0"), "{cut}\n{log}");
        let project = Project::new();
        for output in [cut.clone(), format!("{cut}{log}"), cut.replace('\n', "\r\n")] {
            for words in [&["import"][..], &["import", "--versions", &alembic.versions()]] {
                let run = pgmarch_without_database(&project)
                    .args(words.iter().copied())
                    .stdin(&output)
                    .run()
                    .exits(3)
                    .stderr_contains("revision a2f0");
                let next = run.last_line();
                assert!(next.contains("Python in a2f0") && next.contains("if not context.is_offline_mode():"), "{run}");
            }
        }
        let outcome = pgmarch_without_database(&project).args(["import"]).stdin(&format!("{cut}{log}")).run().exits(3);
        assert!(
            outcome.stderr.contains("Alembic stopped in revision a2f0: AttributeError: 'NoneType' object has no attribute 'fetchall'"),
            "{outcome}"
        );
        assert_eq!(project.names(), Vec::<String>::new());
    }
}

#[test]
fn an_output_is_imported_whole_or_not_at_all() {
    for options in CONFIGURATIONS {
        let alembic = with_python(true, options);
        let (whole, _) = alembic.prints(&["upgrade", "--sql", "base:heads"]);
        let versions = alembic.versions();
        let import = |output: &str, words: &[&str]| {
            let project = Project::new();
            let run = pgmarch_without_database(&project).args(["import"]).args(words.iter().copied()).stdin(output).run();
            (run, project.names())
        };
        let (run, files) = import(&whole, &["--versions", &versions]);
        assert_eq!((run.exits(0).code(), files.len()), (Some(0), 3), "{options}");
        let (run, files) = import(&whole.replace('\n', "\r\n"), &["--versions", &versions]);
        assert_eq!((run.exits(0).code(), files.len()), (Some(0), 3), "{options}");
        // Less of it: refused, unless what is left is complete in itself.
        let (less, _) = alembic.prints(&["upgrade", "--sql", "base:a2f0"]);
        let (run, files) = import(&less, &["--versions", &versions]);
        run.exits(3).stderr_contains("the output has 2 of the 3 revisions under --versions; a3f0 is missing");
        assert_eq!(files, Vec::<String>::new());
        assert_eq!(import(&less, &[]).1.len(), 2);
        let statement = whole.rfind("CREATE TABLE teams").expect("the last revision's statement");
        let last = if options.contains("False") { whole.rfind("'a3f0'").expect("its id") } else { whole.trim_end().len() - 2 };
        for end in (statement..last).step_by(3) {
            let (run, files) = import(&whole[..end], &[]);
            assert_eq!((run.exits(3).code(), files), (Some(3), Vec::<String>::new()), "{options}: {}", &whole[statement..end]);
        }
        let (cut, _) = alembic.prints(&["downgrade", "--sql", "a3f0:base"]);
        let project = Project::new().file("down.sql", &cut[..cut.rfind("DELETE FROM alembic_version").expect("the end of the last one")]);
        let run = pgmarch_without_database(&project).args(["import", "--down", "down.sql"]).stdin(&whole).run().exits(3);
        run.stderr_contains("revision a1f0");
    }
}

#[test]
fn another_version_table_is_named() {
    let alembic = with_python(true, "version_table='steps', version_table_schema='app'");
    let (output, _) = alembic.prints(&["upgrade", "--sql", "base:heads"]);
    let project = Project::new();
    let run = pgmarch_without_database(&project).args(["import"]).stdin(&output).run().exits(3);
    let run = run.stderr_contains("Alembic records revision a1f0 in app.steps, not in alembic_version");
    assert!(run.last_line().contains("PGMARCH_VERSION_TABLE=app.steps"), "{run}");
    pgmarch_without_database(&project).env("PGMARCH_VERSION_TABLE", "app.steps").args(["import"]).stdin(&output).run().exits(0);
}
