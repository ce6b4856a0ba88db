"""The catalog's revisions: what older rows become, and that they make what the models say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from buttress.apps.catalog import app
from buttress.db import migrations
from buttress.db.database import Database

ROWS = (
    """INSERT INTO catalog_product (id, product_type, content, origins)
    VALUES (1, 'cosmetics', '{}', '{}')""",
    """INSERT INTO catalog_extraction (id, product_id, scope, model, temperature, prompts, content,
        origins, notes, seconds) VALUES (1, 1, 'full', 'offline', 0, '{}', '{}', '{}', '[]', 1)""",
    """INSERT INTO catalog_evaluation (id, product_id, extraction_id, product_type, brand, name,
        model, temperature, structure, content, translation, overall, issue_count, rules_version,
        created_at) VALUES (1, 1, 1, 'cosmetics', '', '', 'offline', 0, 4.5, 3.25, 2, 3.12, 0, 1,
        '2026-06-01 12:00:00')""",
    """INSERT INTO catalog_feedback (evaluation_id, person, person_name, structure, content,
        translation, overall, notes)
    VALUES (1, '00000000000000000000000000000001', 'ana', 4, 3, 2, 2.9, '{}')""",
)


@pytest.fixture(params=["database_url", "sqlite_url"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with closing(Database(request.getfixturevalue(request.param))) as opened:
        yield opened


def test_older_feedback_is_told_what_its_evaluation_says(database: Database) -> None:
    migrations.upgrade(database, [app.migrations], target="catalog_0002")
    with database.connection() as connection:
        for row in ROWS:
            connection.execute(text(row))

    migrations.upgrade(database, [app.migrations])

    with database.connection() as connection:
        assert copied(connection) == ("cosmetics", "offline", 4.5, 3.25, 2, 3.12, "2026-06-01 12")
        same = "SELECT f.evaluated_at = e.created_at FROM catalog_feedback f, catalog_evaluation e"
        assert connection.scalar(text(same))


def test_the_revisions_make_what_the_models_say(database_url: str) -> None:
    with closing(Database(database_url)) as database:
        migrations.upgrade(database, [app.migrations])
        with database.connection() as connection:
            found = compare_metadata(
                MigrationContext.configure(connection), app.migrations.metadata
            )

    assert [one for one in found if "catalog_" in str(one) and "_parts" not in str(one)] == []


def copied(connection: Connection) -> tuple[object, ...]:
    row = connection.execute(
        text(
            "SELECT product_type, model, machine_structure, machine_content, machine_translation, "
            "machine_overall, CAST(evaluated_at AS text) FROM catalog_feedback"
        )
    ).one()
    return (*row[:2], *map(float, row[2:6]), row[6][:13])
