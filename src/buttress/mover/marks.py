"""The objects that following a source puts into it, known here so that no plan takes them along."""

from __future__ import annotations

LOG = "buttress_changes"
FOLLOW = "buttress_follow_"
FENCE = "buttress_fence_"


def is_mark(name: str) -> bool:
    """Whether an object of a source is ours."""
    return name == LOG or name.startswith((FOLLOW, FENCE))
