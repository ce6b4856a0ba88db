"""Builds the demo's source: the SQLite file of a product-content app, flaws included.

The file is the same for the same seed. Among its rows are, on purpose, values that PostgreSQL
cannot hold or that contradict their declared type: see `spoil`.
"""

from __future__ import annotations

import json
import math
import random
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

from buttress.demo.words import LINES, MODELS, NOTES, REMARKS

SEED = 20
PRODUCTS = 20_000
USERS = 40
BEGIN = datetime(2024, 3, 1, 8)  # noqa: DTZ001  # prototypes write local time without a zone
WEIGHTS = {"cosmetics": 45, "fragrance": 18, "subtype": 15, "supplement": 14, "tech": 8}

Row = tuple[object, ...]


def build_prototype(path: Path, *, products: int = PRODUCTS, seed: int = SEED) -> Path:
    """Write the prototype's database to `path`, which appears only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".building")
    unfinished.unlink(missing_ok=True)
    connection = sqlite3.connect(unfinished, isolation_level=None)
    try:
        # A file nobody reads yet needs no protection against a crash.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(files("buttress.demo").joinpath("schema.sql").read_text("utf-8"))
        connection.execute("BEGIN")
        fill(connection, random.Random(seed), products)
        spoil(connection)
        connection.execute("COMMIT")
    finally:
        connection.close()
    unfinished.replace(path)
    return path


def fill(connection: sqlite3.Connection, rng: random.Random, products: int) -> None:
    """The rows of a year: people, configurations, evaluations, and what people said of them."""
    columns = (
        "id, uuid, username, email, name, password_hash, role, is_active, last_login,"
        " products_created, created_at"
    )
    insert(connection, f"users ({columns})", 11, users(rng, products))
    insert(connection, "user_sessions", 5, user_sessions(rng))
    insert(connection, "production_models", 5, ((n, *model) for n, model in enumerate(MODELS, 1)))
    evaluated: list[Row] = []
    configured: list[Row] = []
    for number in range(products):
        configuration = configure(rng, number, products)
        configured.append(configuration)
        # One product in ten was generated again with another model.
        for _ in range(2 if rng.random() < 0.1 else 1):
            evaluated.append(evaluate(rng, len(evaluated) + 1, configuration))
    insert(connection, "product_configurations", 12, configured)
    columns = (
        "id, product_config_id, input_text, extracted_json, structure_score, content_score,"
        " translation_score, overall_score, llm_reasoning, evaluation_model, product_type, brand,"
        " product_name, ean, price, latency_ms, is_reviewed, preview, user_id, production_model_id,"
        " created_at"
    )
    insert(connection, f"evaluations ({columns})", 21, evaluated)
    insert(connection, "evaluation_production_models", 6, steps(rng, evaluated))
    insert(connection, "human_feedback", 6, feedback(rng, evaluated))
    insert(connection, "user_activity", 6, activity(rng, products))


def insert(
    connection: sqlite3.Connection, table: str, width: int, rows: Iterator[Row] | list[Row]
) -> None:
    """Write rows of that many values."""
    marks = ", ".join("?" * width)
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def users(rng: random.Random, products: int) -> Iterator[Row]:
    """People without names; the seventh left the name field empty, the eighth never saw it."""
    for number in range(1, USERS + 1):
        name = {7: "", 8: None}.get(number, f"User {number}")
        yield (
            number,
            identifier(rng),
            f"user{number}",
            f"User{number}@example.com" if number % 5 == 0 else f"user{number}@example.com",
            name,
            rng.randbytes(32).hex(),
            "admin" if number == 1 else "user",
            int(number % 9 != 0),
            stamp(BEGIN + timedelta(days=rng.uniform(300, 365))) if number % 6 else None,
            products // USERS,
            stamp(BEGIN + timedelta(days=number)),
        )


def user_sessions(rng: random.Random) -> Iterator[Row]:
    """Sessions of seven days, in unix seconds."""
    for _ in range(USERS * 8):
        begun = 1_709_280_000 + rng.randrange(365 * 86_400)
        yield (
            rng.randbytes(24).hex(),
            rng.randint(1, USERS),
            begun,
            begun + 7 * 86_400,
            rng.randint(0, 1),
        )


def configure(rng: random.Random, number: int, products: int) -> Row:
    """One product to be described: its type, its sources, who asked and when."""
    product_type = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    at = BEGIN + timedelta(
        minutes=number * 525_000 / products, microseconds=rng.randrange(1_000_000)
    )
    sources = [{"kind": "pdf", "file": f"sheet-{number:05}.pdf", "pages": [1, rng.randint(2, 9)]}]
    if rng.random() < 0.2:
        sources.append({"kind": "website", "url": f"https://shop.example.com/p/{number}"})
    return (
        identifier(rng),
        product_type,
        json.dumps(sources),
        None if rng.random() < 0.7 else f"reference {number % 97}",
        "" if rng.random() < 0.8 else "Keep it under 120 words.",
        rng.choices(("completed", "failed", "draft"), (95, 3, 2))[0],
        int(rng.random() < 0.02),
        (at + timedelta(days=rng.randint(20, 200))).date().isoformat(),
        rng.randint(1, USERS),
        rng.randint(1, len(MODELS)),
        stamp(at),
        stamp(at + timedelta(minutes=rng.randint(1, 600))) if rng.random() < 0.6 else None,
    )


def evaluate(rng: random.Random, number: int, configuration: Row) -> Row:
    """One extraction and its marks: structure 20 %, content 50 %, translation 30 %."""
    config_id, product_type = str(configuration[0]), str(configuration[1])
    line = LINES[product_type]
    brand = rng.choice(line.brands)
    english, portuguese = rng.choice(line.goods)
    model_name = f"{english.title()} N.º {rng.randint(1, 400)}"
    size = rng.choice(line.sizes)
    cents = rng.randrange(line.price[0] * 100, line.price[1] * 100)
    benefits = rng.sample(line.benefits, 2)
    ingredients = ", ".join(rng.sample(line.materials, min(4, len(line.materials))))
    ean = ean13(rng.randrange(10**11, 10**12))
    source = (
        f"{brand.upper()} {model_name} {size}. {benefits[0][0].capitalize()}. "
        f"Ingredients: {ingredients}. EAN {ean}. RRP {cents / 100:.2f} EUR."
    )
    extracted = {
        "catalogA": {
            "TitleEN": model_name,
            "TitlePT": portuguese.capitalize(),
            "brand": brand,
            "Ingredients": ingredients,
            "DescriptionEN": paragraph(brand, model_name, [pair[0] for pair in benefits]),
            "DescriptionPT": paragraph(brand, portuguese, [pair[1] for pair in benefits]),
            "HowToEN": line.how[0],
            "HowToPT": line.how[1],
        },
        "catalogB": {
            "EAN": ean,
            "ItemCapacity": size,
            "Weight": rng.randint(20, 900),
            "priceSale": cents / 100,
            "supplierPrice": round(cents * 0.55) / 100,
            "HSCode": line.hs_code,
        },
    }
    marks = rng.choices((5, 4, 3, 2, 1), (46, 34, 13, 5, 2), k=3)
    overall = (marks[0] * 20 + marks[1] * 50 + marks[2] * 30) / 100
    return (
        number,
        config_id,
        source,
        json.dumps(extracted, ensure_ascii=False),
        *marks,
        overall,
        REMARKS[min(marks)],
        MODELS[number % 2][1],
        product_type,
        brand,
        model_name,
        ean,
        cents / 100,
        round(rng.lognormvariate(7.6, 0.5), 3),
        0,
        b"\x89PNG\r\n\x1a\n" + rng.randbytes(40) if rng.random() < 0.3 else None,
        configuration[8],
        configuration[9],
        configuration[10],
    )


def steps(rng: random.Random, evaluated: list[Row]) -> Iterator[Row]:
    """Which model did which step of an evaluation, and what it cost."""
    for row in evaluated:
        for step in ("extract", "judge") if rng.random() < 0.5 else ("extract",):
            tokens_in, tokens_out = rng.randint(900, 6_000), rng.randint(300, 1_400)
            model = rng.randint(1, len(MODELS))
            yield (row[0], model, step, tokens_in, tokens_out, (tokens_in + 4 * tokens_out) / 1e6)


def feedback(rng: random.Random, evaluated: list[Row]) -> Iterator[Row]:
    """What people said: mostly what the judge said, give or take one."""
    for number, row in enumerate(rng.sample(evaluated, len(evaluated) // 6), 1):
        rating = min(5, max(1, int(str(row[5])) + rng.choice((-1, 0, 0, 0, 1))))
        yield (number, row[0], rng.randint(1, USERS), rating, rng.choice(NOTES), str(row[20]))


def activity(rng: random.Random, products: int) -> Iterator[Row]:
    """Clicks, with details only where the old code wrote them."""
    for number in range(1, products // 2 + 1):
        action = rng.choice(("login", "product_created", "evaluation_viewed", "export"))
        details = (
            json.dumps({"format": rng.choice(("csv", "json"))}) if action == "export" else None
        )
        at = BEGIN + timedelta(minutes=number * 1_050_000 / products)
        yield (
            number,
            rng.randint(1, USERS),
            action,
            details,
            round(rng.expovariate(1 / 40), 2),
            stamp(at),
        )


def spoil(connection: sqlite3.Connection) -> None:
    """Put in what years of hurried scripts leave behind."""
    change = connection.execute
    # Three notes that PostgreSQL cannot hold: a zero character, and bytes that are not UTF-8.
    change("UPDATE human_feedback SET notes = ? WHERE id = 207", ("Sérum\x0030 ml: errado",))
    for number, notes in ((101, b"Tradu\xe7\xe3o literal."), (1998, b"Cr\xe8me, n\xe3o creme.")):
        change("UPDATE human_feedback SET notes = CAST(? AS TEXT) WHERE id = ?", (notes, number))
    # A word where a number belongs, a third truth value, a day that does not exist.
    change("UPDATE user_activity SET duration_seconds = 'unknown' WHERE id IN (77, 4111)")
    change("UPDATE product_configurations SET is_template = 2 WHERE rowid = 640")
    change("UPDATE product_configurations SET launch_on = '2025-02-30' WHERE rowid = 9001")
    # Divisions by zero somebody stored.
    change("UPDATE evaluations SET latency_ms = ? WHERE id IN (31, 8080)", (math.inf,))
    change("UPDATE evaluations SET latency_ms = ? WHERE id = 8081", (-math.inf,))
    # Feedback on an evaluation that was deleted while foreign keys were off.
    change("UPDATE human_feedback SET evaluation_id = 990017 WHERE id = 12")
    # Empty is not missing.
    change("UPDATE evaluations SET brand = '' WHERE id IN (400, 401)")
    change("UPDATE evaluations SET brand = NULL WHERE id IN (402, 403)")


def identifier(rng: random.Random) -> str:
    """A random UUID that the seed repeats."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def stamp(at: datetime) -> str:
    """A moment as SQLAlchemy writes it to SQLite."""
    return at.isoformat(" ", timespec="microseconds")


def ean13(twelve: int) -> str:
    """A European article number with its check digit."""
    digits = f"{twelve:012}"
    weighted = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"


def paragraph(brand: str, product: str, benefits: list[str]) -> str:
    """A description in the shop's markup."""
    items = "".join(f"<li>{benefit}</li>" for benefit in benefits)
    return f"<p><strong>{brand} {product}</strong> {benefits[0]}.</p><ul>{items}</ul>"
