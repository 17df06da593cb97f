"""The real Alembic, one process for many commands: a JSON object a line in, one a line out."""

import json
import sys

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script.revision import Revision, RevisionMap
from sqlalchemy import create_engine


def planned(asked):
    """What Alembic would run: {"revisions": [...], "cases": [{"way", "rows", "name"}]}."""
    revisions = [
        Revision(one["id"], tuple(one["parents"]) or None, dependencies=tuple(one["depends_on"]) or None,
                 branch_labels=tuple(one["labels"]) or None)
        for one in asked["revisions"]
    ]
    graph = RevisionMap(lambda: revisions)
    answers = []
    for case in asked["cases"]:
        rows, name = tuple(case["rows"]), case["name"]
        try:
            if case["way"] == "up":
                run = graph.iterate_revisions(name, rows, implicit_base=True)
            else:
                run = graph.iterate_revisions(rows, name, select_for_downgrade=True)
            answers.append({"ids": sorted(revision.revision for revision in run)})
        except Exception as error:
            answers.append({"error": f"{type(error).__name__}: {error}"})
    return {"answers": answers}


class Project:
    def __init__(self, folder, url):
        self.config = Config()
        self.config.set_main_option("script_location", folder)
        self.engine = create_engine(url)

    def run(self, asked):
        # Not begun: Alembic begins its own transaction, which an autocommit_block can leave.
        with self.engine.connect() as connection:
            self.config.attributes["connection"] = connection
            verb, words = asked["run"][0], asked["run"][1:]
            if verb == "upgrade":
                command.upgrade(self.config, words[0])
            elif verb == "downgrade":
                command.downgrade(self.config, words[0])
            elif verb == "stamp":
                command.stamp(self.config, words, purge=asked.get("purge", False))
        return self.current()

    def current(self):
        with self.engine.connect() as connection:
            return {"current": sorted(MigrationContext.configure(connection).get_current_heads())}


def main():
    project = Project(sys.argv[1], sys.argv[2]) if len(sys.argv) > 2 else None
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if "revisions" in asked:
                answer = planned(asked)
            elif "run" in asked:
                answer = project.run(asked)
            else:
                answer = project.current()
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
