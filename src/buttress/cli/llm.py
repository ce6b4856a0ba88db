"""`buttress llm`: ask a model, see who can be asked, and what the calls took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from buttress.cli.context import load_settings, out, plain
from buttress.errors import BadInput

if TYPE_CHECKING:
    from rich.table import Table

    from buttress.llm import UsageRow

WIDE = 1_000
"""Columns a table may have: names of models are long, and nobody can use half of one."""

app = typer.Typer(help="Language models: who answers, and what it takes.", no_args_is_help=True)


@app.command()
def usage(
    by: Annotated[
        str,
        typer.Option(help="day, provider, model, app, person, purpose, outcome; comma separated."),
    ] = "day,model",
    days: Annotated[float, typer.Option(min=0.001, help="How far back.")] = 30.0,
    export: Annotated[
        Path | None,
        typer.Option(help="Write it to this file instead: .csv, .xlsx, .parquet, .json or .jsonl."),
    ] = None,
) -> None:
    """Show what calls of language models took: tokens, USD, seconds.

    Calls of unknown price are counted as unpriced and not in the sum.

    Example: buttress llm usage --by app,model --days 7
    """
    from buttress.exports import export_rows
    from buttress.llm import require_table, usage_query
    from buttress.runtime import Runtime

    groups = [name.strip() for name in by.split(",") if name.strip()]
    until = datetime.now(UTC)
    since = until - timedelta(days=days)
    with Runtime(load_settings()) as runtime:
        if export is None:
            show_usage(runtime.llm.usage(since, until, groups), groups)  # type: ignore[arg-type]
            return
        with runtime.database.session(read_only=True) as session:
            require_table(session)
            query = usage_query(since, until, groups)  # type: ignore[arg-type]
            written = export_rows(session, query, export)
    out.print(f"wrote {written:,} bytes to {export}", markup=False)


def show_usage(rows: list[UsageRow], groups: list[str]) -> None:
    """Print rows and their sum."""
    from rich.table import Table

    if not rows:
        out.print("no calls")
        return
    table = Table(*groups, box=None, pad_edge=False)
    for heading in ("calls", "failed", "cached", "in", "out", "USD", "unpriced", "mean s"):
        table.add_column(heading, justify="right")
    for row in rows:
        names = [plain(str(value)) if (value := getattr(row, name)) else "-" for name in groups]
        counts = (row.calls, row.failed, row.cached, row.input_tokens, row.output_tokens)
        table.add_row(
            *names,
            *(f"{count:,}" for count in counts),
            f"{row.cost:.4f}",
            f"{row.unpriced:,}",
            f"{row.mean_latency_seconds:.2f}",
        )
    print_whole(table)
    total = sum(row.cost for row in rows)
    out.print(f"{sum(row.calls for row in rows):,} calls, {total:.4f} USD", markup=False)


def print_whole(table: Table) -> None:
    """Print a table as wide as it is, beyond the terminal's edge if need be."""
    from rich.measure import Measurement

    table.width = Measurement.get(out, out.options.update(max_width=WIDE), table).maximum
    out.print(table, crop=False)


@app.command()
def models(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL", help="Tell the prices of these too.")
    ] = None,
) -> None:
    """Show which providers can be asked, which models are, and their prices.

    Prices are those of BUTTRESS_LLM__PRICES, else of the table that comes with genai-prices.

    Example: buttress llm models openai:gpt-4o-mini groq:llama-3.3-70b-versatile
    """
    from rich.table import Table

    from buttress.llm import PROVIDERS, Providers
    from buttress.llm.prices import Prices

    settings = load_settings()
    providers, prices = Providers.of(settings), Prices(settings.llm.prices)
    table = Table("provider", "configured", "set", box=None, pad_edge=False)
    for provider in PROVIDERS.values():
        needed = "BUTTRESS_LLM__BASE_URL" if provider.name == "openai-compatible" else provider.key
        configured = "yes" if providers.is_configured(provider.name) else "no"
        table.add_row(provider.name, configured, needed)
    print_whole(table)
    fallback = [name.strip() for name in settings.llm.fallback.split(",") if name.strip()]
    chosen = [name for name in (settings.llm.model, *fallback) if name]
    if not chosen:
        out.print("\nno model is chosen (BUTTRESS_LLM__MODEL): rules answer, and say so")
    listed = list(dict.fromkeys([*chosen, *(names or [])]))
    if not listed:
        return
    table = Table("model", "asked", box=None, pad_edge=False)
    table.add_column("USD per million in", justify="right")
    table.add_column("out", justify="right")
    for name in listed:
        price = prices.per_million(name)
        shown = (
            ["unknown", "unknown"] if price is None else [f"{usd.normalize():f}" for usd in price]
        )
        place = f"{chosen.index(name) + 1}." if name in chosen else "-"
        table.add_row(plain(name), place, *shown)
    out.print()
    print_whole(table)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")],
    model: Annotated[
        str | None, typer.Option(help="provider:name, instead of the one that is set.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="How to answer.")] = None,
    deadline_seconds: Annotated[
        float | None, typer.Option(min=0.1, help="How long it may take.")
    ] = None,
) -> None:
    """Ask a language model; the answer appears as it is written.

    Without a model rules repeat what the question itself says. The call is recorded like any other.

    Example: buttress llm ask "Name three oaks"
    """
    import sys

    from buttress.cli.context import err
    from buttress.runtime import Runtime

    prompt = sys.stdin.read() if question == "-" else question
    if not prompt.strip():
        raise BadInput("there is nothing to ask", hint="Give a question, or - and standard input.")
    with (
        Runtime(load_settings()) as runtime,
        runtime.llm.stream(
            prompt,
            purpose="buttress.ask",
            model=model,
            system=system,
            deadline_seconds=deadline_seconds,
        ) as stream,
    ):
        for piece in stream:
            out.print(piece, end="", markup=False, emoji=False)
        out.print()
        answer = stream.completion
    cost = "price unknown" if answer.cost is None else f"{answer.cost:.6f} USD"
    err.print(
        f"{answer.model}, {answer.tokens.input} tokens in, {answer.tokens.output} out, {cost}, "
        f"{answer.latency_seconds:.1f} s",
        markup=False,
        style="dim",
    )
