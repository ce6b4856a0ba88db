"""What a move did and what its proof found: for people in a terminal or a browser, for machines as
JSON.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from buttress.mover.plan import NotCarried, Plan, Unreadable

Verdict = Literal["proven", "proven with rows in quarantine", "mismatch", "planned"]


class Quarantined(msgspec.Struct, kw_only=True):
    """One row that PostgreSQL cannot hold exactly, as the report shows it."""

    table: str
    row: str
    """The row's rowid or key, readable."""
    column: str
    reason: str


class Difference(msgspec.Struct, kw_only=True):
    """One difference the proof found."""

    table: str
    row: str
    """The row's key, readable; for a table without key the row's values."""
    column: str = ""
    """Empty when the whole row is missing or should not be there."""
    source: str = ""
    target: str = ""


class Orphans(msgspec.Struct, kw_only=True):
    """A foreign key that rows violate: it was kept NOT VALID."""

    table: str
    foreign_key: str
    rows: int
    examples: list[str] = []


class TableProof(msgspec.Struct, kw_only=True):
    """The proof of one table: `rows == proven + quarantined` and no difference, or it is not
    proven.
    """

    table: str
    target: str
    rows: int
    """Rows in the source that can be read."""
    proven: int
    """Rows re-read on both sides and equal in every cell."""
    quarantined: int = 0
    method: str = ""
    """`by key` (cell by cell in key order) or `by digest` (no key: digests of whole rows)."""
    differences: list[Difference] = []
    """The first 100; `different` counts all."""
    different: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether every row is accounted for."""
        return not self.different and self.rows == self.proven + self.quarantined


class Proof(msgspec.Struct, kw_only=True):
    """The proof of a whole move."""

    tables: list[TableProof] = []
    sequences: list[str] = []
    """Sequences that do not continue where SQLite's would; empty when all do."""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether all tables and sequences are proven."""
        return all(table.ok for table in self.tables) and not self.sequences


class MoveReport(msgspec.Struct, kw_only=True):
    """The result of a move, and what `report.json` holds.

    `version` is raised whenever a field changes its meaning.
    """

    version: int = 1
    id: str
    verdict: Verdict
    source: str
    source_bytes: int = 0
    target: str = ""
    """The target without its password."""
    schema: str = "public"
    started_at: str = ""
    """UTC, ISO 8601."""
    seconds: dict[str, float] = {}
    """Duration of each phase: snapshot, plan, copy, index, objects, proof, switch."""
    plan: Plan
    proof: Proof = msgspec.field(default_factory=Proof)
    quarantined: list[Quarantined] = []
    """The first 1,000; `TableProof.quarantined` counts all."""
    orphans: list[Orphans] = []
    not_carried: list[NotCarried] = []
    """Those of the plan and those that PostgreSQL or the comparison refused."""
    unreadable: list[Unreadable] = []
    folder: str = ""
    """Where report.json, report.html and plan.toml lie."""

    @property
    def rows_proven(self) -> int:
        """Rows re-read on both sides and found equal."""
        return sum(table.proven for table in self.proof.tables)

    @property
    def rows_quarantined(self) -> int:
        """Rows kept in `buttress_quarantine`."""
        return sum(table.quarantined for table in self.proof.tables)

    @property
    def exit_code(self) -> int:
        """0 when every row is proven in place, 3 when some are not but none differs, else 65."""
        return {"proven": 0, "planned": 0, "proven with rows in quarantine": 3, "mismatch": 65}[
            self.verdict
        ]


def verdict_of(report: MoveReport) -> Verdict:
    """What the proof of a move that was carried out says."""
    if not report.proof.ok:
        return "mismatch"
    if report.rows_quarantined or report.unreadable:
        return "proven with rows in quarantine"
    return "proven"
