"""What may be spent in a day: by all, by an app, by a person."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from buttress.errors import BudgetSpent
from buttress.llm.entry import Entry
from buttress.llm.ledger import Ledger, Spent
from buttress.settings import LLMSettings

EVERY_OTHER = "*"


class Budgets:
    """Limits of a day of UTC, in USD.

    A call goes ahead when what is written, what is in flight in this process and what it may come
    to cost itself stay within the limit. Calls other processes have in flight are not seen, and
    those of a model without price cost nothing here.
    """

    def __init__(self, settings: LLMSettings, ledger: Ledger) -> None:
        self.settings = settings
        self.ledger = ledger
        self._lock = threading.Lock()

    def reserve(
        self, entry: Entry, cost: Decimal, in_flight: Callable[[], Iterable[Entry]]
    ) -> None:
        """Set aside what a call may cost; raises `BudgetSpent`."""
        limits = self._limits(entry)
        if not limits:
            return
        now = datetime.now(UTC)
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        with self._lock:  # of two calls that come at once, the second sees the first
            # Asked for before the ledger, which leaves them out: one that ends meanwhile counts
            # once, and is never missed.
            others = [other for other in in_flight() if other is not entry]
            spent = self.ledger.spent_since(today, without=[other.id for other in others])
            for other in others:
                key = (other.app, other.person)
                held = max(other.reserved, other.cost or Decimal(0))
                spent[key] = spent.get(key, Decimal(0)) + held
            for (app, person), limit in limits.items():
                used = total(spent, app, person)
                if used + cost > limit or used >= limit:
                    raise _spent(whose(app, person), limit, used, cost, now)
            entry.reserved = cost

    def _limits(self, entry: Entry) -> dict[tuple[str | None, str | None], Decimal]:
        """The limits that hold for a call, by the app and the person they are for."""
        settings = self.settings
        found: dict[tuple[str | None, str | None], float | None] = {
            (None, None): settings.daily_budget_usd,
            (entry.app, None): limit_of(settings.app_daily_budget_usd, entry.app),
        }
        if entry.person is not None:
            limit = limit_of(settings.person_daily_budget_usd, entry.person)
            found[None, entry.person] = limit
        return {whose: Decimal(str(limit)) for whose, limit in found.items() if limit is not None}


def limit_of(limits: Mapping[str, float], name: str) -> float | None:
    """The limit of that name, or of every other."""
    return limits.get(name, limits.get(EVERY_OTHER))


def whose(app: str | None, person: str | None) -> tuple[str, str]:
    """Of whom a limit is, as an error tells it, and the variable that sets it."""
    if app:
        return f"app {app!r}", "BUTTRESS_LLM__APP_DAILY_BUDGET_USD"
    if person:
        return "this person", "BUTTRESS_LLM__PERSON_DAILY_BUDGET_USD"
    return "this deployment", "BUTTRESS_LLM__DAILY_BUDGET_USD"


def total(spent: Spent, app: str | None, person: str | None) -> Decimal:
    """What an app, a person, or both None all, have spent."""
    return sum(
        (
            cost
            for (by_app, by_person), cost in spent.items()
            if (app is None or app == by_app) and (person is None or person == by_person)
        ),
        Decimal(0),
    )


def _spent(
    limited: tuple[str, str], limit: Decimal, used: Decimal, cost: Decimal, now: datetime
) -> BudgetSpent:
    name, variable = limited
    resets_at = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return BudgetSpent(
        f"the model budget of {name} for today is {limit} USD: {used:.6f} are spent or in use, "
        f"and this call may cost {cost:.6f}",
        resets_at=resets_at,
        after_seconds=(resets_at - now).total_seconds(),
        hint=f"It begins anew at {resets_at:%Y-%m-%d %H:%M} UTC; {variable} raises it.",
    )
