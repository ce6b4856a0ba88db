"""An older tool's tables, as `buttress move` brings them in: found, counted, read row by row.

The tool kept one row for each evaluation in `evaluations`, with the product as JSON, three scores
and who made it; ratings in `human_feedback`; models in `production_models`, named by a column of
`evaluations` or by `evaluation_production_models`. Its versions call some columns differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import RowMapping, inspect, text
from sqlalchemy.orm import Session

from buttress.db.catalogue import quoted

KEPT = ("id", "extracted_json", "product_type")
SCORES: Mapping[str, tuple[str, ...]] = {
    "structure": ("structure_score",),
    "content": ("accuracy_score", "content_score"),
    "translation": ("translation_score",),
    "overall": ("overall_score",),
}
"""What the tool's versions have called each."""
BESIDES = ("product_config_id", "input_text", "llm_reasoning", "evaluation_model", "brand",
           "product_name", "created_at")  # fmt: skip
MODEL = ("provider", "model_name", "temperature")
MARK = "'evaluations ' || e.id"


class OlderTool:
    """Its tables, in whichever schema the move has put them."""

    def __init__(self, columns: Mapping[str, frozenset[str]], schema: str | None) -> None:
        self._columns = columns
        self._schema = schema

    def waiting(self, session: Session) -> int:
        """How many evaluations were neither taken over nor left out as they are."""
        return session.scalar(text(f"SELECT count(*) {self._waiting()}")) or 0

    def taken(self, session: Session) -> int:
        """How many evaluations were taken over."""
        return session.scalar(text(f"SELECT count(*) {self._taken}")) or 0

    def rows(self, session: Session, *, at_once: int) -> Iterator[Sequence[RowMapping]]:
        """Those evaluations in their order, so many at once, as they are read.

        Each with `mark`, `fingerprint`, a score under each name of `SCORES`, `who` made it, and the
        names of `KEPT`, `BESIDES` and `MODEL`; None for what the tool does not have.
        """
        there = self._columns["evaluations"]
        chosen = [f"{MARK} AS mark", f"{self._fingerprint} AS fingerprint"]
        chosen += [f"e.{name}" for name in KEPT]
        chosen += [f"{_first(named, there, 'e')} AS {score}" for score, named in SCORES.items()]
        chosen += [f"{_first((name,), there, 'e')} AS {name}" for name in BESIDES]
        model, joined_model = self._model
        chosen += [f"{_first((name,), model, 'm')} AS {name}" for name in MODEL]
        who, joined_person = self._person("evaluations", "e", ("created_by_username",))
        waiting = self._waiting(f"{joined_model} {joined_person}")
        found = session.execute(
            text(f"SELECT {', '.join(chosen)}, {who} AS who {waiting} ORDER BY e.id"),
            execution_options={"yield_per": at_once},
        )
        return found.mappings().partitions(at_once)

    def ratings(self, session: Session, evaluations: list[int]) -> Sequence[RowMapping]:
        """What people said of these: `evaluation_id`, `rating` from 1 to 5, `notes`, `who`,
        `created_at`."""
        there = self._columns["human_feedback"]
        rating = _first(("human_rating", "rating"), there, "e")
        if "evaluation_id" not in there or rating == "NULL":
            return []
        who, joined = self._person("human_feedback", "e", ("username", "user_name"))
        found = text(
            f"SELECT e.evaluation_id, {rating} AS rating, {who} AS who, "
            f"{_first(('notes',), there, 'e')} AS notes, "
            f"{_first(('created_at',), there, 'e')} AS created_at "
            f"FROM {self._name('human_feedback')} e {joined} "
            f"WHERE e.evaluation_id = ANY(:evaluations) AND {rating} BETWEEN 1 AND 5 "
            "ORDER BY created_at"
        )
        return session.execute(found, {"evaluations": evaluations}).mappings().all()

    def products(self, session: Session) -> dict[str, int]:
        """By `product_config_id` the product that an evaluation of it was taken over to."""
        if "product_config_id" not in self._columns["evaluations"]:
            return {}
        found = session.execute(
            text(
                f"SELECT DISTINCT e.product_config_id, x.product_id {self._taken} "
                "WHERE e.product_config_id IS NOT NULL"
            )
        )
        return {str(key): product for key, product in found}

    @property
    def _fingerprint(self) -> str:
        """Of all that can keep a row from being taken over."""
        there = self._columns["evaluations"]
        scores = ", ".join(_first(named, there, "e") for named in SCORES.values())
        return f"md5(concat_ws(' ', e.product_type, CAST(e.extracted_json AS text), {scores}))"

    @property
    def _taken(self) -> str:
        return (
            f"FROM {self._name('evaluations')} e "
            f"JOIN catalog_extraction x ON x.adopted_from = {MARK}"
        )

    def _waiting(self, joined: str = "") -> str:
        """The evaluations that wait, joined with what is to be read beside them."""
        return (
            f"FROM {self._name('evaluations')} e {joined} "
            f"LEFT JOIN catalog_extraction x ON x.adopted_from = {MARK} "
            f"LEFT JOIN catalog_left_out l ON l.old_row = {MARK} "
            f"AND l.fingerprint = {self._fingerprint} "
            "WHERE x.id IS NULL AND l.old_row IS NULL"
        )

    @property
    def _model(self) -> tuple[frozenset[str], str]:
        """The columns of the model that extracted, and how it is found."""
        models = self._columns["production_models"]
        name = self._name("production_models")
        if "id" not in models:
            return frozenset(), ""
        if "production_model_id" in self._columns["evaluations"]:
            return models, f"LEFT JOIN {name} m ON m.id = e.production_model_id"
        if not self._columns["evaluation_production_models"]:
            return frozenset(), ""
        return models, (
            "LEFT JOIN (SELECT evaluation_id, min(production_model_id) AS model FROM "
            f"{self._name('evaluation_production_models')} GROUP BY evaluation_id) n "
            f"ON n.evaluation_id = e.id LEFT JOIN {name} m ON m.id = n.model"
        )

    def _person(self, table: str, alias: str, names: Sequence[str]) -> tuple[str, str]:
        """Who made a row of that table, by name: in a column of its own or by number."""
        there = self._columns[table]
        written = _first(names, there, alias)
        if written != "NULL" or "user_id" not in there:
            return written, ""
        if not {"id", "username"} <= self._columns["users"]:
            return f"CAST({alias}.user_id AS text)", ""
        return "u.username", (
            f"LEFT JOIN {self._name('users')} u "
            f"ON CAST(u.id AS text) = CAST({alias}.user_id AS text)"
        )

    def _name(self, table: str) -> str:
        """The table as SQL names it."""
        return quoted(table) if self._schema is None else f"{quoted(self._schema)}.{quoted(table)}"


TABLES = ("evaluations", "human_feedback", "production_models", "evaluation_production_models",
          "users")  # fmt: skip


def find(session: Session) -> OlderTool | None:
    """The older tool whose data lies in the database, None when there is none."""
    tables = inspect(session.connection())
    for schema in (None, *tables.get_schema_names()):
        if not tables.has_table("evaluations", schema=schema):
            continue
        columns = {
            table: frozenset(str(one["name"]) for one in tables.get_columns(table, schema=schema))
            if tables.has_table(table, schema=schema)
            else frozenset[str]()
            for table in TABLES
        }
        if _is_it(columns["evaluations"]):
            return OlderTool(columns, schema)
    return None


def _is_it(evaluations: frozenset[str]) -> bool:
    """Whether that is the table this is about; others may be called the same."""
    return evaluations >= set(KEPT) and all(evaluations & set(named) for named in SCORES.values())


def _first(names: Sequence[str], there: frozenset[str], alias: str) -> str:
    """The first of these columns that is there, as SQL; NULL when none is."""
    return next((f"{alias}.{name}" for name in names if name in there), "NULL")
