//! The recipes of docs/model.md: an ORM's model changes, and after `create` and `upgrade` the ORM's own check finds nothing.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::orm::installed;
use crate::support::{Database, Outcome, Program, Project, pgmarch};

/// Python and Node take seconds to start on a busy machine.
const DEADLINE: Duration = Duration::from_secs(300);

/// A copy of an example, the database that follows it, and what its commands need.
struct Recipe {
    project: Project,
    database: Database,
    model_command: String,
    path: String,
}

impl Recipe {
    /// The model command is one that docs/model.md shows.
    fn new(project: Project, programs: Option<PathBuf>, model_command: &str) -> Recipe {
        let shown = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/model.md")).expect("docs/model.md");
        let line = format!("\nexport PGMARCH_MODEL_COMMAND='{model_command}'\n");
        assert!(shown.contains(&line), "docs/model.md does not show {line}");
        std::fs::create_dir(project.path().join("migrations")).expect("make the folder of the revisions");
        let system = std::env::var("PATH").expect("a search path");
        let path = programs.map_or_else(|| system.clone(), |programs| format!("{}:{system}", programs.display()));
        Recipe { project, database: Database::new(), model_command: model_command.to_owned(), path }
    }

    fn pgmarch(&self, words: &[&str]) -> Outcome {
        pgmarch(&self.database, &self.project)
            .args(words.iter().copied())
            .env("PGMARCH_MIGRATIONS", "migrations")
            .env("PGMARCH_MODEL_COMMAND", &self.model_command)
            .env("PATH", &self.path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .deadline(DEADLINE)
            .run()
    }

    /// Runs a command of the ORM's on a database.
    fn orm(&self, command: &str, database: &Database) -> Outcome {
        Program::at("/bin/sh")
            .args(["-c", command])
            .env("DATABASE_URL", &database.url())
            .env("PATH", &self.path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .in_folder(self.project.path())
            .deadline(DEADLINE)
            .run()
    }

    /// Replaces parts of a file of the model.
    #[track_caller]
    fn change(&self, file: &str, changes: &[(&str, &str)]) {
        let mut text = self.project.read(file);
        for (old, new) in changes {
            assert!(text.contains(old), "{file} has no {old}");
            text = text.replace(old, new);
        }
        self.project.write(file, &text);
    }

    /// The first revision, and one with what no ORM expresses, on the table with members.
    fn starts(&self, members: &str, rows: &str) {
        self.pgmarch(&["create", "model", "--id", "001"]).exits(0);
        let manual = format!(
            "-- revision: 002\n-- revises: 001\n-- message: what no ORM expresses\n\n-- migrate:up\n\
             CREATE FUNCTION lower_email() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.email := lower(NEW.email); RETURN NEW; END';\n\
             CREATE TRIGGER lower_email BEFORE INSERT ON {members} FOR EACH ROW EXECUTE FUNCTION lower_email();\n\n\
             -- migrate:down\nDROP TRIGGER lower_email ON {members};\nDROP FUNCTION lower_email();\n"
        );
        self.project.write("migrations/002_manual.sql", &manual);
        self.pgmarch(&["upgrade"]).exits(0).stdout_contains("2 applied");
        self.database.execute(rows);
    }

    /// The changed model becomes a revision, which keeps the rows and what no ORM expresses.
    #[track_caller]
    fn follows(&self, expected: &[&str]) {
        self.pgmarch(&["check"]).exits(1);
        let created = self.pgmarch(&["create", "change", "--id", "003"]).exits(0).stdout_lacks("DROP TRIGGER");
        for part in expected {
            assert!(created.stdout.contains(part), "{part}\n{created}");
        }
        self.pgmarch(&["upgrade"]).exits(0);
        self.has_settled();
    }

    /// Nothing remains to do for us.
    #[track_caller]
    fn has_settled(&self) {
        self.pgmarch(&["check"]).exits(0).stdout_contains("nothing found (files, ledger, database, model)");
        self.pgmarch(&["diff"]).exits(0);
        assert_eq!(self.database.one("SELECT count(*) FROM pg_trigger WHERE tgname = 'lower_email'"), "1");
    }
}

#[test]
fn sqlalchemy() {
    let programs = installed("alembic").join("bin");
    let recipe = Recipe::new(Project::example("sqlalchemy").copied(), Some(programs), "python create_model.py");
    recipe.starts("members", "INSERT INTO teams (name) VALUES ('a'); INSERT INTO members (team_id, email) VALUES (1, 'A@x')");
    recipe.orm("python compare.py", &recipe.database).exits(0);
    let changes = [
        ("import enum\n", "import datetime\nimport enum\n"),
        ("import Enum, ForeignKey, Identity, Text", "import BigInteger, DateTime, Enum, ForeignKey, Identity, Text, func"),
        ("    paid = \"paid\"\n", "    paid = \"paid\"\n    trial = \"trial\"\n"),
        ("mapped_column(Identity(), primary_key=True)", "mapped_column(BigInteger, Identity(), primary_key=True)"),
        ("mapped_column(ForeignKey(Team.id", "mapped_column(BigInteger, ForeignKey(Team.id"),
        (
            "mapped_column(Text, index=True)\n",
            "mapped_column(Text, index=True, unique=True)\n    \
             joined_at: Mapped[datetime.datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())\n",
        ),
    ];
    recipe.change("models.py", &changes);
    recipe.orm("python compare.py", &recipe.database).exits(1).stderr_contains("joined_at");
    recipe.follows(&["ADD VALUE 'trial'", "ALTER COLUMN team_id TYPE bigint", "CREATE UNIQUE INDEX ix_members_email"]);
    recipe.orm("python compare.py", &recipe.database).exits(0);
    assert_eq!(recipe.database.one("SELECT email FROM members WHERE team_id = 1 AND joined_at IS NOT NULL"), "a@x");
}

#[test]
fn django() {
    let programs = installed("django").join("bin");
    let recipe = Recipe::new(Project::example("django").copied(), Some(programs), "python manage.py migrate");
    let database = &recipe.database;
    let manage = |words: &str, database: &Database| recipe.orm(&format!("python manage.py {words}"), database).exits(0);
    // As docs/model.md says: Django's own bookkeeping, and the rows that it adds after migrations.
    let records = || {
        manage("migrate --fake", database);
        manage("migrate", database).stdout_contains("No migrations to apply");
    };
    manage("makemigrations teams", database);
    recipe
        .starts("teams_member", "INSERT INTO teams_team (name) VALUES ('a'); INSERT INTO teams_member (team_id, email) VALUES (1, 'A@x')");
    records();
    assert_ne!(database.one("SELECT count(*) FROM auth_permission WHERE codename LIKE '%_member'"), "0");
    let changes = [
        ("models.TextField(unique=True)", "models.CharField(max_length=200, unique=True, db_comment=\"As on the invoice\")"),
        ("db_default=\"free\")\n", "db_default=\"free\")\n    seats = models.IntegerField(db_default=1)\n"),
        ("models.EmailField(db_index=True)\n", "models.EmailField(unique=True)\n    joined_at = models.DateTimeField(db_default=Now())\n"),
        ("from django.db import models\n", "from django.db import models\nfrom django.db.models.functions import Now\n"),
    ];
    recipe.change("teams/models.py", &changes);
    recipe.orm("python manage.py makemigrations --check --dry-run", database).exits(1);
    manage("makemigrations teams", database);
    recipe.orm("python manage.py migrate --check", database).exits(1);
    recipe.follows(&["ADD COLUMN seats integer NOT NULL DEFAULT 1", "ADD COLUMN joined_at timestamptz NOT NULL", "UNIQUE (email)"]);
    records();
    manage("migrate --check", database);
    manage("makemigrations --check", database);
    recipe.has_settled();
    // What Django sees is what its own migrations would have created.
    let migrated = Database::new();
    manage("migrate", &migrated);
    let tables = "auth_group auth_permission auth_user auth_user_groups django_content_type teams_member teams_team";
    let seen = |database| manage(&format!("inspectdb {tables}"), database).stdout;
    assert!(seen(database).contains("joined_at = "), "{}", seen(database));
    assert_eq!(seen(database), seen(&migrated));
    assert_eq!(database.one("SELECT email FROM teams_member WHERE team_id = 1 AND joined_at IS NOT NULL"), "a@x");
}

#[test]
fn drizzle() {
    let modules = installed("drizzle").join("node_modules");
    let project = Project::example("drizzle").copied();
    symlink(modules, project.path().join("node_modules")).expect("link Drizzle into the project");
    let recipe = Recipe::new(project, None, "npx drizzle-kit push --force");
    // As a check, on a throwaway database alone: it changes what differs.
    let push = || recipe.orm("npx drizzle-kit push", &recipe.database);
    recipe.starts("members", "INSERT INTO teams (name) VALUES ('a'); INSERT INTO members (team_id, email) VALUES (1, 'A@x')");
    push().exits(0).stdout_contains("No changes detected");
    let changes = [
        ("import { index, integer, pgEnum, pgTable, text }", "import { bigint, integer, pgEnum, pgTable, text, timestamp, uniqueIndex }"),
        ("[\"free\", \"paid\"]", "[\"free\", \"paid\", \"trial\"]"),
        ("pgTable(\"teams\", {\n  id: integer()", "pgTable(\"teams\", {\n  id: bigint({ mode: \"number\" })"),
        ("integer(\"team_id\")", "bigint(\"team_id\", { mode: \"number\" })"),
        (
            "    email: text().notNull(),\n",
            "    email: text().notNull(),\n    joinedAt: timestamp(\"joined_at\", { withTimezone: true }).notNull().defaultNow(),\n",
        ),
        ("index(\"members_email\")", "uniqueIndex(\"members_email\")"),
    ];
    recipe.change("schema.ts", &changes);
    recipe.follows(&["ADD VALUE 'trial'", "ALTER COLUMN team_id TYPE bigint", "CREATE UNIQUE INDEX members_email"]);
    push().exits(0).stdout_contains("No changes detected");
    recipe.has_settled();
    assert_eq!(recipe.database.one("SELECT email FROM members WHERE team_id = 1 AND joined_at IS NOT NULL"), "a@x");
}

#[test]
fn psql() {
    let model = |more: &str| format!("CREATE TABLE members (id integer PRIMARY KEY, email text NOT NULL{more});\n");
    let project = Project::new().file("model.sql", &model(""));
    let recipe = Recipe::new(project, None, "psql -X -q -v ON_ERROR_STOP=1 -f model.sql \"$DATABASE_URL\"");
    recipe.starts("members", "INSERT INTO members VALUES (1, 'A@x')");
    recipe.project.write("model.sql", &model(", joined_at timestamptz NOT NULL DEFAULT now()"));
    recipe.follows(&["ADD COLUMN joined_at timestamptz NOT NULL DEFAULT now()"]);
    assert_eq!(recipe.database.one("SELECT email FROM members WHERE joined_at IS NOT NULL"), "a@x");
}
