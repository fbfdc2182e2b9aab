"""The migrations are a line that ends at the schema of this code. What they do: tests/integration/records."""

from __future__ import annotations

from alembic.script import ScriptDirectory

from data_platform.records import database, schema


def test_the_code_works_with_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(schema.config()).get_heads() == [database.REVISION]


def test_migrations_are_numbered_in_their_order() -> None:
    # Newer and older are told apart by that.
    line = [script.revision for script in ScriptDirectory.from_config(schema.config()).walk_revisions()]
    assert len(line) >= 2
    assert line == [f"{number:04}" for number in range(len(line), 0, -1)]
