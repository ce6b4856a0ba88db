"""Database URLs of every kind seen in the wild."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import create_engine
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect

from buttress.db.url import DatabaseURL, parse_database_url
from buttress.errors import ConfigurationError

PLAIN = {"host": "db.example.com", "user": "ana", "password": "secret", "dbname": "shop"}


def parameters(url: DatabaseURL) -> dict[str, str]:
    return {name: str(value) for name, value in conninfo_to_dict(url.conninfo).items()}


def what_sqlalchemy_connects_with(url: DatabaseURL) -> dict[str, str]:
    _, keywords = psycopg_dialect.PGDialect_psycopg().create_connect_args(url.sqlalchemy)
    found = {name: str(value) for name, value in keywords.items()}
    if not found.get("port", "").strip(","):  # "," is SQLAlchemy's way to say: the default ports
        found.pop("port", None)
    return found


def accepted(text: str) -> dict[str, str]:
    """The libpq parameters of an accepted URL, the same as SQLAlchemy's."""
    url = parse_database_url(text)
    found = parameters(url)
    assert url.backend == "postgresql"
    assert url.path is None
    assert what_sqlalchemy_connects_with(url) == found
    return found


def shown(text: str) -> str:
    """Everything of a URL that may reach a log or a screen."""
    url = parse_database_url(text)
    return "\n".join([repr(url), str(url), url.label, repr(url.sqlalchemy), str(url.sqlalchemy)])


def outcome(text: str) -> DatabaseURL | ConfigurationError:
    try:
        return parse_database_url(text)
    except ConfigurationError as error:
        return error


def refusal(text: str) -> ConfigurationError:
    error = outcome(text)
    assert isinstance(error, ConfigurationError)
    assert error.hint
    assert "\n" not in error.message + error.hint
    assert error.hint.endswith(".")
    # A driver's error would bring the text, and so the password, into the traceback.
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


@pytest.mark.parametrize(
    "text",
    [
        "postgres://ana:secret@db.example.com/shop",
        "postgresql://ana:secret@db.example.com/shop",
        "POSTGRESQL://ana:secret@db.example.com/shop",
        "postgresql+psycopg://ana:secret@db.example.com/shop",
        "postgresql+psycopg2://ana:secret@db.example.com/shop",
        "postgresql+asyncpg://ana:secret@db.example.com/shop",
        "postgres+asyncpg://ana:secret@db.example.com:/shop",
        "postgis://ana:secret@db.example.com/shop",
        "  postgresql://ana:secret@db.example.com/shop\n",
        "\ufeffpostgresql://ana:secret@db.example.com/shop\u200b",
        "'postgresql://ana:secret@db.example.com/shop'",
        '"postgresql://ana:secret@db.example.com/shop"',
        "“postgresql://ana:secret@db.example.com/shop”",
        "`postgresql://ana:secret@db.example.com/shop`",
        "DATABASE_URL=postgresql://ana:secret@db.example.com/shop",
        "DATABASE_URL='postgresql://ana:secret@db.example.com/shop'",
        'DATABASE_URL = "postgresql://ana:secret@db.example.com/shop"\r\n',
        "DATABASE_URL: postgresql://ana:secret@db.example.com/shop",
        "export DATABASE_URL=postgresql://ana:secret@db.example.com/shop",
        'export PG_URL="postgresql://ana:secret@db.example.com/shop"',
        "psql 'postgresql://ana:secret@db.example.com/shop'",
        "psql postgresql://ana:secret@db.example.com/shop",
        'psql "host=db.example.com user=ana password=secret dbname=shop"',
        "host=db.example.com user=ana password=secret dbname=shop",
        "host = db.example.com  user = ana password='secret' dbname=shop",
        "jdbc:postgresql://db.example.com/shop?user=ana&password=secret",
        "postgresql://db.example.com/shop?user=ana&password=secret",
        "postgresql://ana:secret@db.example.com/shop?",
        "postgresql://ana:secret@db.example.com/shop?connection_limit=5&pool_timeout=0",
        "postgresql://ana:secret@db.example.com/shop?pgbouncer=true&statement_cache_size=0",
        "postgresql://ana:secret@db.example.com/shop?schema=public",
        "postgresql://ana:secret@db.example.com/shop?sslmode=",
    ],
)
def test_a_pasted_url_gives_the_same_four_facts(text):
    assert accepted(text) == PLAIN


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("postgresql://h", {"host": "h"}),
        ("postgresql:///shop", {"dbname": "shop"}),
        ("postgresql://ana@h:5433/shop", {"user": "ana", "host": "h", "port": "5433"}),
        ("postgresql://u@h/my%20shop", {"dbname": "my shop"}),
        ("postgresql://a%40b:p@h/d", {"user": "a@b"}),
        ("postgresql://ana@server:pw@server.azure.com/d", {"user": "ana@server", "password": "pw"}),
        ("postgresql://u:p@[::1]:5433/d", {"host": "::1", "port": "5433"}),
        ("postgresql://u:p@[2001:db8::7]/d", {"host": "2001:db8::7"}),
        ("postgresql://[fe80::1%25eth0]/d", {"host": "fe80::1%eth0"}),
        ("postgresql://h1:5432,h2:5433/d", {"host": "h1,h2", "port": "5432,5433"}),
        ("postgresql://h1,h2/d", {"host": "h1,h2"}),
        ("postgresql://h1:5431,h2/d", {"host": "h1,h2", "port": "5431,"}),
        ("postgresql://u:p@[::1]:5432,h2:5433/d", {"host": "::1,h2", "port": "5432,5433"}),
        ("postgresql+psycopg://u:p@/d?host=h1:5432&host=h2:5433", {"host": "h1,h2"}),
        (
            "postgresql://h1,h2/d?target_session_attrs=read-write",
            {"target_session_attrs": "read-write"},
        ),
        ("postgresql://u:p@/d?host=/run/pg", {"host": "/run/pg"}),
        ("postgresql://u:p@%2Frun%2Fpg/d", {"host": "/run/pg"}),
        ("postgresql://u:p@%2Frun%2Fpg:5433/d", {"host": "/run/pg", "port": "5433"}),
        ("postgresql://u:p@localhost/d?host=/cloudsql/a:b:c", {"host": "/cloudsql/a:b:c"}),
        ("host=/run/pg port=5433 dbname=d", {"host": "/run/pg", "port": "5433"}),
        ("hostaddr=127.0.0.1 port=5433", {"hostaddr": "127.0.0.1", "port": "5433"}),
        ("postgresql://h/d?ssl=require", {"sslmode": "require"}),
        ("postgresql://h/d?ssl=true", {"sslmode": "require"}),
        ("postgresql://h/d?ssl=false", {"sslmode": "disable"}),
        ("postgresql://h/d?ssl=verify_full", {"sslmode": "verify-full"}),
        ("postgresql://h/d?ssl=true&sslmode=verify-full", {"sslmode": "verify-full"}),
        ("postgresql://h/d?sslmode=no-verify", {"sslmode": "require"}),
        (
            "postgresql://h/d?sslmode=require&channel_binding=require",
            {"channel_binding": "require"},
        ),
        ("postgresql://h/d?application_name=shop%20web", {"application_name": "shop web"}),
        ("postgresql://h/d?connect_timeout=10", {"connect_timeout": "10"}),
        ("postgresql://h/d?options=endpoint%3Dep-1", {"options": "endpoint=ep-1"}),
        ("postgresql://h/d?options=-c+search_path=a", {"options": "-c search_path=a"}),
    ],
)
def test_what_a_url_says_reaches_libpq_and_sqlalchemy(text, found):
    assert accepted(text).items() >= found.items()


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("p@ss", "p@ss"),
        ("p/ss", "p/ss"),
        ("p#ss", "p#ss"),
        ("p?ss", "p?ss"),
        ("p:ss", "p:ss"),
        ("p+ss", "p+ss"),
        ("p ss", "p ss"),
        ("p[s]s", "p[s]s"),
        ("p%ss", "p%ss"),
        ("100%", "100%"),
        ("a@b/c#d?e:f%g", "a@b/c#d?e:f%g"),
        ("$ecret", "$ecret"),
        ("pássword-ção", "pássword-ção"),
        ("p%40ss", "p@ss"),
        ("p%2Fs%23s%3F", "p/s#s?"),
        ("p%25ss", "p%ss"),
        ("p:%40", "p:@"),
        ("p'\\\"", "p'\\\""),
    ],
)
def test_a_password_with_special_characters_is_recovered_exactly(written, password):
    found = accepted(f"postgresql://ana:{written}@db.example.com:5432/shop")

    assert found == PLAIN | {"password": password, "port": "5432"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("  ''  ", "empty"),
        ("DATABASE_URL=", "empty"),
        ("embedded", "no URL of its own"),
        ("$DATABASE_URL", "variable"),
        ("${DATABASE_URL}", "variable"),
        ("{{ database_url }}", "variable"),
        ("'postgresql://ana@h/shop", "quote"),
        ("postgresql://ana@h/shop'", "told apart"),
        ("postgresql://ana@h/sh\nop", "line break"),
        ("postgresql://ana@h/sh\udcffop", "UTF-8"),
        ("psql -h db.example.com -U ana shop", "psql command"),
        ("ana:secret@db.example.com/shop", "not a database URL"),
        ("ana:secret@db.example.com/shop.db", "not a database URL"),
        ("postgresql:/ana@h/shop", "not a database URL"),
        ("mysql://ana:secret@h/shop", "mysql is not"),
        ("mysql+pymysql://ana:secret@h/shop", "mysql is not"),
        ("mongodb+srv://ana:secret@h/shop", "mongodb is not"),
        ("redis://h", "redis is not"),
        ("jdbc:mysql://h/shop", "unknown kind"),
        ("https://abc.supabase.co", "web page"),
        ("prisma://accelerate.prisma-data.net/?api_key=secret", "Prisma proxy"),
        ("prisma+postgres://accelerate.prisma-data.net/?api_key=secret", "Prisma proxy"),
        ("postgresql+odbc://h/d", "unknown PostgreSQL driver"),
        ("postgresql://ana:[YOUR-PASSWORD]@h:5432/shop", "placeholder"),
        ("postgresql://ana:[YOUR-PASSWORD]@h:6543/shop?pgbouncer=true", "placeholder"),
        ("postgresql://ana:<password>@h/shop", "placeholder"),
        ("postgresql://ana:%5BYOUR-PASSWORD%5D@h/shop", "placeholder"),
        ("postgresql://ana:${PGPASSWORD}@h/shop", "placeholder"),
        ("postgresql://ana:********@h/shop", "placeholder"),
        ("postgresql://ana:your_password@h/shop", "placeholder"),
        ("host=h password=<password>", "placeholder"),
        ("postgresql://<user>:<password>@<host>/shop", "told apart"),
        ("postgresql://postgres.[ref]:pw@[host]/shop", "told apart"),
        ("postgresql://ana:pw@::1/shop", "told apart"),
        ("postgresql://ana:pw@[::zz]/shop", "told apart"),
        ("postgresql://ana:pw@[1:2]/shop", "not IPv6"),
        ("postgresql://ana:pw@h/shop/", "told apart"),
        ("postgresql://ana:pw@h/shop#x", "told apart"),
        ("postgresql://ana:pw@h:99999/shop", "port"),
        ("postgresql://ana:pw@h:five/shop", "told apart"),
        ("postgresql://h1:1,h2:2/d?host=a,b,c", "ports"),
        ("postgresql://ana:pw@real/shop?application_name=me@other", "more than one way"),
        ("postgresql://real:5432/shop@other", "more than one way"),
        ("postgresql://ana:p@ss%40@h/shop", "partly"),
        ("postgresql://ana:p%zz%40@h/shop", "partly"),
        ("postgresql://ana:p%FF@h/shop", "not UTF-8"),
        ("postgresql://ana:p%00@h/shop", "not UTF-8"),
        ("postgresql://an%a:pw@h/shop", "starts no escape"),
        ("postgresql://h/d?sslmode=on-please", "sslmode"),
        ("postgresql://h/d?ssl=false&sslmode=require", "contradict"),
        ("postgresql://h/d?ssl=true&sslmode=prefer", "contradict"),
        ("postgresql://h/d?sslmode=require&sslmode=disable", "twice"),
        ("postgresql://h/d?sslmode=require&sslaccept=strict", "sslaccept"),
        ("postgresql://h/d?slmode=require", "unknown to PostgreSQL"),
        ("postgresql://h/d?target_session_attrs=master", "target_session_attrs"),
        ("Host=h;Username=ana;Password=secret", "not a libpq"),
        ("host=h password=my secret", "not a libpq"),
        ("host=h password='secret", "not a libpq"),
        ("host=real password=x host=other", "twice"),
        ("sqlite://", "without a file"),
        ("sqlite://app.db", "without a file"),
        ("sqlite:///", "memory"),
        ("sqlite:///:memory:", "memory"),
        ("sqlite:///file:app.db?mode=ro&uri=true", "file: options"),
        ("app.txt", "not a database URL"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_cure(text, message):
    error = refusal(text)

    assert message in error.message
    assert "secret" not in error.message + str(error.hint)


@pytest.mark.parametrize(
    ("text", "pooler"),
    [
        ("postgresql://h/d", False),
        ("postgresql://h:5432/d", False),
        ("postgresql://h:6543/d", True),
        ("postgresql://h1:5432,h2:6543/d", True),
        ("host=h port=6543", True),
        ("postgresql://h/d?pgbouncer=true", True),
        ("postgresql://h:6543/d?pgbouncer=false", False),
        ("postgresql://h/d?pool_mode=transaction", True),
        ("postgresql://ep-cool-1-pooler.eu.aws.neon.tech/d?sslmode=require", True),
        ("postgresql://aws-0-eu.pooler.supabase.com:5432/d", False),
    ],
)
def test_a_transaction_pooler_is_recognised(text, pooler):
    assert parse_database_url(text).transaction_pooler is pooler


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("postgresql://h/d", None),
        ("postgresql://h/d?schema=", None),
        ("postgresql://h/d?schema=Sales", "Sales"),
        ("jdbc:postgresql://h/d?currentSchema=sales,public", "sales"),
        ("postgresql://h/d?options=-csearch_path%3Dsales", "sales"),
        ("postgresql://h/d?options=-c%20search_path%3D%22$user%22,sales,public", "sales"),
        ("postgresql://h/d?options=--search_path%3Dsales", "sales"),
        ("host=h options='-c statement_timeout=0 -c search_path=sales'", "sales"),
    ],
)
def test_the_schema_of_a_url_is_found(text, schema):
    assert parse_database_url(text).schema == schema


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///app.db", "app.db"),
        ("sqlite:///data/app.db", "data/app.db"),
        ("sqlite:////srv/app.db", "/srv/app.db"),
        ("sqlite+aiosqlite:///app.db", "app.db"),
        ("sqlite:///my%20app.db", "my app.db"),
        ("sqlite:///app.db?check_same_thread=false&connection_limit=1", "app.db"),
        ("file:./dev.db", "dev.db"),
        ("DATABASE_URL='sqlite:///app.db'", "app.db"),
        ("app.db", "app.db"),
        ("/srv/My App.SQLITE3", "/srv/My App.SQLITE3"),
        ("~/app.sqlite", str(Path("~/app.sqlite").expanduser())),
    ],
)
def test_a_sqlite_file_is_recognised(text, path):
    url = parse_database_url(text)

    assert (url.backend, url.conninfo, url.path) == ("sqlite", "", Path(path))
    assert url.sqlalchemy.database == path
    assert url.label == path


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("postgresql://ana:secret@h:5433/shop", "h:5433/shop"),
        ("postgresql://ana:secret@h1:5432,h2/shop", "h1:5432,h2/shop"),
        ("postgresql://ana:secret@h1,h2/shop?port=5433", "h1:5433,h2:5433/shop"),
        ("postgresql://[::1]:5433", "[::1]:5433"),
        ("postgresql:///shop?host=/run/pg", "/run/pg/shop"),
        ("dbname=shop", "local socket/shop"),
    ],
)
def test_the_label_names_the_place_alone(text, label):
    assert parse_database_url(text).label == label


passwords = st.text(
    st.one_of(st.sampled_from("@/#%?:[]& =+'\"\\,.;$a1"), st.characters(exclude_categories=["Cs", "Cc"])),
    min_size=1,
    max_size=16,
)  # fmt: skip
CREDENTIALS = "postgresql://ana:{}@db.example.com:5432/shop{}"
queries = st.sampled_from(["", "?sslmode=require", "?pgbouncer=true&schema=x"])

# One text for every refusal a password can cause: the same message for two passwords holds neither.
REFUSALS = {
    (error.message, error.hint)
    for error in map(
        refusal,
        [
            "postgresql://ana:pw@h/d?application_name=me@other",
            "postgresql://ana:pw@::1/shop",
            "postgresql://ana:p@ss%40@h/shop",
            "postgresql://ana:<password>@h/shop",
            "postgresql://ana:p%FF@h/shop",
        ],
    )
}


@given(passwords, queries)
@example("x@other/db?a=b", "")
@example("x@other,", "")
@example("5432/db?user=b", "")
@example("p@other:1/x", "?sslmode=require")
@example("/", "")
@example("@", "")
def test_a_raw_password_is_recovered_exactly_or_refused(password, query):
    text = CREDENTIALS.format(password, query)
    if isinstance(outcome(text), ConfigurationError):
        error = refusal(text)
        assert (error.message, error.hint) in REFUSALS
        return
    found = parameters(parse_database_url(text))
    # An escape in a raw password is indistinguishable from an encoded one; all else is exact.
    if not re.search(r"%[0-9A-Fa-f]{2}", password):
        assert found["password"] == password
    assert (found["host"], found["port"], found["user"]) == ("db.example.com", "5432", "ana")
    assert found["dbname"] == "shop"


@given(passwords, queries)
def test_an_encoded_password_is_recovered_exactly(password, query):
    text = CREDENTIALS.format(quote(password, safe=""), query)
    if isinstance(outcome(text), ConfigurationError):
        assert "placeholder" in refusal(text).message
        return
    assert accepted(text).items() >= (PLAIN | {"password": password, "port": "5432"}).items()
    assert shown(text) == shown(CREDENTIALS.format("another", query))


@given(passwords)
def test_a_quoted_password_of_a_key_value_string_is_recovered_exactly(password):
    quoted = password.replace("\\", "\\\\").replace("'", "\\'")
    text = f"host=db.example.com user=ana password='{quoted}' dbname=shop"
    if isinstance(outcome(text), ConfigurationError):
        assert "placeholder" in refusal(text).message
        return
    assert accepted(text) == PLAIN | {"password": password}


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_with_a_cure(text):
    if isinstance(outcome(text), ConfigurationError):
        refusal(text)


def test_one_port_counts_for_all_hosts():
    url = parse_database_url("host=one,two port=6543 dbname=shop")

    assert url.sqlalchemy.query["port"] == "6543,6543"
    create_engine(url.sqlalchemy).dispose()
