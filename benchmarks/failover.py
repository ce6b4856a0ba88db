"""P8: the primary is killed under load and its standby takes over: how long, and what is lost."""

from __future__ import annotations

import statistics

from benchmarks.two_clusters import LOOK_SECONDS, LOOKS, Outcome, drill, two_clusters
from buttress.db.embedded import Servers

WRITERS = 8


def lines(_: Servers, quick: bool) -> list[str]:
    """The section as Markdown."""
    rounds = 1 if quick else 5
    outcomes: dict[bool, list[Outcome]] = {True: [], False: []}
    with two_clusters() as pair:
        for _ in range(rounds):
            for synchronous, found in outcomes.items():
                found.append(drill(pair, synchronous=synchronous, writers=WRITERS))
    return [
        "## Failover",
        "",
        f"kill -9 of all processes of the primary while {WRITERS} threads write through a URL of both hosts; an "
        f"arbiter on the same machine looks every {LOOK_SECONDS * 1000:.0f} ms, takes {LOOKS} misses for death, "
        f"and has the standby promoted; {rounds} alternating rounds, smallest to largest. The gap is the longest "
        "time in which no writer got an acknowledgement. Then the dead one is rewound and follows.",
        "",
        "| commits wait for | gap | detected | promoted | errors of one writer at most | follows again after | acknowledged | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        _row("the standby (synchronous)", outcomes[True]),
        _row("nobody (asynchronous)", outcomes[False]),
        "",
    ]


def _row(name: str, found: list[Outcome]) -> str:
    gaps = sorted(one.gap_seconds * 1000 for one in found)
    return (
        f"| {name} | {gaps[0]:.0f} to {gaps[-1]:.0f} ms, median {statistics.median(gaps):.0f} ms "
        f"| {_milliseconds([one.steps.detected_seconds for one in found])} "
        f"| {_milliseconds([one.steps.promoted_seconds for one in found])} "
        f"| {max(one.most_errors for one in found)} "
        f"| {_milliseconds([one.rejoin_seconds for one in found])} "
        f"| {sum(one.acknowledged for one in found):,} "
        f"| acknowledged writes lost {sum(one.lost for one in found)} |"
    )


def _milliseconds(seconds: list[float]) -> str:
    return f"{min(seconds) * 1000:.0f} to {max(seconds) * 1000:.0f} ms"
