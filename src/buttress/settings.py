"""The settings of one deployment, and the only place that reads the environment."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Literal, cast

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict


class PoolSettings(BaseModel):
    """Connections one process may hold open to the database."""

    model_config = ConfigDict(frozen=True)

    size: int = Field(20, ge=1, description="connections kept open")
    overflow: int = Field(30, ge=0, description="connections opened beyond that under load")
    timeout_seconds: float = Field(30.0, gt=0, description="how long a caller waits for one")
    recycle_seconds: int = Field(1800, gt=0, description="age at which one is replaced")


class TimeoutSettings(BaseModel):
    """How long the database may take before a call fails with `Unavailable`."""

    model_config = ConfigDict(frozen=True)

    connect_seconds: float = Field(5.0, gt=0, description="opening a connection")
    statement_seconds: float = Field(60.0, ge=0, description="one statement; 0 for no limit")
    lock_seconds: float = Field(10.0, ge=0, description="waiting for a lock; 0 for no limit")
    restart_seconds: float = Field(
        10.0, ge=0, description="how long callers wait for a database that restarts; 0 to fail"
    )
    start_seconds: float = Field(
        30.0, ge=0, description="how long start-up keeps trying to reach the database"
    )


class CacheSettings(BaseModel):
    """How much a process keeps in memory, and for how long a value may live."""

    model_config = ConfigDict(frozen=True)

    memory_bytes: int = Field(64_000_000, ge=0, description="room for cached values in a process")
    ttl_seconds: float = Field(
        300.0, gt=0, description="how long a cached value lives when nothing changes"
    )
    namespace_bytes: dict[str, int] = Field(
        default_factory=dict, description="room of their own for namespaces, as JSON"
    )
    namespace_ttl_seconds: dict[str, float] = Field(
        default_factory=dict, description="lives of their own for namespaces, as JSON"
    )


class MonitorSettings(BaseModel):
    """What the query monitor watches for."""

    model_config = ConfigDict(frozen=True)

    slow_seconds: float = Field(1.0, gt=0, description="a statement that takes longer is listed")
    metrics: bool = Field(
        False, description="serve /metrics to whoever reaches the port, without a token"
    )


class BackupSettings(BaseModel):
    """Where backups go, how long they stay, and who may make them."""

    model_config = ConfigDict(frozen=True)

    store: str = Field(
        "", description="a folder, s3://…, gs://… or az://…; empty for `backups` in the data folder"
    )
    key: SecretStr = Field(SecretStr(""), description="encrypts backups; keep a copy elsewhere")
    database_url: SecretStr = Field(
        SecretStr(""), description="as DATABASE_URL, for a role that sees all rows and may restore"
    )
    drill: bool = Field(True, description="prove each backup by a restore right after it was made")
    before_changes: bool = Field(
        True, description="back up before a migration and before `move --replace`"
    )
    schedule: str = Field(
        "0 3 * * *", description="when one is made, as cron writes it, in UTC; empty for never"
    )
    daily: int = Field(30, ge=1, description="days of which the last backup stays")
    monthly: int = Field(12, ge=0, description="months of which the last backup stays")


class HealthSettings(BaseModel):
    """Who is told details of health, and how a process leaves."""

    model_config = ConfigDict(frozen=True)

    token: SecretStr = Field(
        SecretStr(""), description="bearer token that /health shows details to; empty for nobody"
    )
    drain_seconds: float = Field(
        0.0,
        ge=0,
        description="how long `buttress up` goes on after SIGTERM while /health/ready answers 503",
    )


class JobSettings(BaseModel):
    """Who does background work."""

    model_config = ConfigDict(frozen=True)

    worker: bool = Field(True, description="`buttress up` does jobs too, beside `buttress worker`")
    concurrency: int = Field(
        10, ge=1, description="jobs of one queue that one worker does at a time"
    )
    keep_days: float = Field(30.0, ge=0, description="how long jobs that ended can be looked at")


class LLMSettings(BaseModel):
    """Which language models answer, for how long they are waited for, and what may be spent."""

    model_config = ConfigDict(frozen=True)

    model: str = Field(
        "", description="asked unless a call names another, as provider:name; empty for none"
    )
    fallback: str = Field(
        "", description="asked in this order when it does not answer, comma separated"
    )
    base_url: str = Field("", description="where the provider openai-compatible listens")
    api_key: SecretStr = Field(SecretStr(""), description="its key, where it wants one")
    deadline_seconds: float = Field(
        60.0, gt=0, description="how long a call may take, retries and fallbacks included"
    )
    daily_budget_usd: float | None = Field(
        None, ge=0, description="what may be spent in a day of UTC; unset for no limit"
    )
    app_daily_budget_usd: dict[str, float] = Field(
        default_factory=dict, description='the same for apps, as JSON; "*" is every other'
    )
    person_daily_budget_usd: dict[str, float] = Field(
        default_factory=dict, description='the same for persons, as JSON; "*" is every other'
    )
    prices: dict[str, tuple[float, float]] = Field(
        default_factory=dict,
        description="USD per million tokens in and out of models by provider:name, as JSON",
    )


class AccessSettings(BaseModel):
    """Who is let in, and how much one may ask."""

    model_config = ConfigDict(frozen=True)

    base_url: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+/?)?$",
        description="the address people open: https://app.example.com",
    )
    trusted_proxies: str = Field(
        "", description="addresses whose X-Forwarded-For and -Proto are believed: 127.0.0.1"
    )
    idle_hours: float = Field(12.0, gt=0, description="a sign-in not used for so long ends")
    absolute_days: float = Field(7.0, gt=0, description="a sign-in as old as this ends")
    requests_per_minute: int = Field(
        600, ge=1, description="how often one person or token may ask the API"
    )
    body_bytes: int = Field(25_000_000, ge=1, description="largest body of a request to the API")


class FilesSettings(BaseModel):
    """Where uploads go, and how large they may be."""

    model_config = ConfigDict(frozen=True)

    store: str = Field(
        "", description="a folder, s3://…, gs://… or az://…; empty for `files` in the data folder"
    )
    limit_bytes: int = Field(25_000_000, ge=1, description="largest upload")
    quota_bytes: int = Field(
        0, ge=0, description="largest sum of one person's uploads; 0 for no limit"
    )


class OIDCSettings(BaseModel):
    """The provider by which people sign in with their organisation's account."""

    model_config = ConfigDict(frozen=True)

    issuer: str = Field("", description="its address, exactly as it calls itself")
    client_id: str = Field("", description="what it calls this deployment")
    client_secret: SecretStr = Field(SecretStr(""), description="what it gave this deployment")
    role: Literal["", "viewer", "analyst"] = Field(
        "", description="role of people nobody has invited; empty lets in none of them"
    )


class Settings(BaseSettings):
    """Settings from environment variables and `.env`, frozen once read.

    Names the world already knows keep theirs (`DATABASE_URL`, `REDIS_URL`); all others start with
    `BUTTRESS_`, groups joined by two underscores (`BUTTRESS_POOL__SIZE`).
    """

    model_config = SettingsConfigDict(
        env_prefix="BUTTRESS_",
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    database_url: SecretStr = Field(
        SecretStr("embedded"),
        validation_alias="DATABASE_URL",
        description="embedded, postgresql://… or sqlite:///…",
    )
    redis_url: SecretStr = Field(
        SecretStr("embedded"),
        validation_alias="REDIS_URL",
        description="embedded, redis://…, valkey://… or unix://…",
    )
    openai_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="OPENAI_API_KEY", description="for models of openai"
    )
    groq_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="GROQ_API_KEY", description="for models of groq"
    )
    anthropic_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="ANTHROPIC_API_KEY", description="for models of anthropic"
    )
    gemini_api_key: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        description="for models of gemini; GOOGLE_API_KEY does as well",
    )
    perplexity_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="PERPLEXITY_API_KEY", description="for models of perplexity"
    )
    replica_urls: SecretStr = Field(
        SecretStr(""), description="standbys that may take reads, comma separated"
    )
    replica_lag_seconds: float = Field(
        5.0, gt=0, description="a standby whose data may be older than this takes no reads"
    )
    otlp_endpoint: str = Field(
        "",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="where spans are sent, as OTLP over HTTP: http://localhost:4318",
    )
    otlp_headers: SecretStr = Field(
        SecretStr(""),
        validation_alias="OTEL_EXPORTER_OTLP_HEADERS",
        description="headers the receiver wants, as name=value, comma separated",
    )
    sentry_dsn: SecretStr = Field(
        SecretStr(""), validation_alias="SENTRY_DSN", description="where errors are sent"
    )
    environment: Literal["development", "production"] = Field(
        "development", description="production refuses development defaults"
    )
    home: Path = Field(Path("var"), description="data folder of this deployment")
    host: str = Field("127.0.0.1", description="address `buttress up` listens on")
    port: int = Field(8501, ge=1, le=65535, description="port `buttress up` listens on")
    apps: str = Field("", description="apps to start, comma separated; empty for all installed")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="logging")
    pool: PoolSettings = Field(default_factory=lambda: PoolSettings())
    timeouts: TimeoutSettings = Field(default_factory=lambda: TimeoutSettings())
    monitor: MonitorSettings = Field(default_factory=lambda: MonitorSettings())
    cache: CacheSettings = Field(default_factory=lambda: CacheSettings())
    health: HealthSettings = Field(default_factory=lambda: HealthSettings())
    jobs: JobSettings = Field(default_factory=lambda: JobSettings())
    backup: BackupSettings = Field(default_factory=lambda: BackupSettings())
    files: FilesSettings = Field(default_factory=lambda: FilesSettings())
    access: AccessSettings = Field(default_factory=lambda: AccessSettings())
    oidc: OIDCSettings = Field(default_factory=lambda: OIDCSettings())
    llm: LLMSettings = Field(default_factory=lambda: LLMSettings())

    @property
    def replicas(self) -> list[str]:
        """The URLs in `replica_urls`; a comma inside of one separates its hosts."""
        urls = re.split(r",\s*(?=[a-z]+(?:\+[a-z]+)?://)", self.replica_urls.get_secret_value())
        return [url.strip() for url in urls if url.strip()]

    def __init__(self, **values: object) -> None:
        # Keywords use field names in code although the environment uses the known names.
        for name, field in type(self).model_fields.items():
            if name in values and (alias := known_name(field)):
                values[alias] = values.pop(name)
        super().__init__(**values)  # type: ignore[arg-type]  # pydantic validates the values

    @property
    def model_keys(self) -> dict[str, SecretStr]:
        """The key of each provider of language models that has one."""
        keys = {
            "openai": self.openai_api_key,
            "groq": self.groq_api_key,
            "anthropic": self.anthropic_api_key,
            "gemini": self.gemini_api_key,
            "perplexity": self.perplexity_api_key,
            "openai-compatible": self.llm.api_key,
        }
        return {provider: key for provider, key in keys.items() if key.get_secret_value()}


class AppSettings(BaseSettings):
    """What an app lets a deployment choose; each app that has something declares one.

        class CatalogSettings(AppSettings, env_prefix="BUTTRESS_CATALOG__"):
            polite_seconds: float = Field(2.0, description="wait between pages of one host")

    Made where it is needed, `CatalogSettings()`; raises pydantic's `ValidationError`.
    """

    model_config = SettingsConfigDict(
        env_nested_delimiter="__",
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )


def known_name(field: FieldInfo) -> str | None:
    """The variable the world knows a setting by; None for one of ours."""
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else cast("str | None", alias)


@dataclasses.dataclass(frozen=True)
class Given:
    """What the environment and `.env` set, by name; values may be secret."""

    environment: dict[str, str] = dataclasses.field(default_factory=dict, repr=False)
    file: dict[str, str] = dataclasses.field(default_factory=dict, repr=False)
    path: Path = Path(".env")

    @property
    def together(self) -> dict[str, str]:
        """The environment wins."""
        return {**self.file, **self.environment}


def given(path: Path = Path(".env")) -> Given:
    """Every variable this process would read its settings from, ours and others'."""
    from dotenv import dotenv_values

    found = {name: value or "" for name, value in dotenv_values(path).items()}
    return Given(dict(os.environ), found, path)  # noqa: TID251  # this module may


def known_names() -> set[str]:
    """Every variable that is a setting, of the apps that are imported too; a group may be given as
    JSON under its own name."""
    models: list[type[BaseSettings]] = [Settings, *AppSettings.__subclasses__()]
    return {name for model in models for name in _names(model, model.model_config["env_prefix"])}


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, described in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        alias = described.validation_alias
        if isinstance(alias, AliasChoices):
            yield from (str(choice) for choice in alias.choices)
        else:
            yield str(alias or variable)
        if isinstance(described.annotation, type) and issubclass(described.annotation, BaseModel):
            yield from _names(described.annotation, f"{variable}__")


Origin = Literal["default", "environment", ".env", "code"]


@dataclasses.dataclass(frozen=True)
class InForce:
    """One setting as it is: a secret's value is told by its length, a URL's without what is in
    it for the server alone."""

    name: str
    value: str
    origin: Origin
    meaning: str


def in_force(settings: Settings, given: Given) -> list[InForce]:
    """Every setting with its value and where that came from, in the order of the declaration;
    those of the apps last."""
    file, environment = _folded(given.file), _folded(given.environment)
    found = []
    models = [settings, *(model() for model in AppSettings.__subclasses__())]
    for names, value, field in chain.from_iterable(
        _values(model, str(model.model_config["env_prefix"]), ()) for model in models
    ):
        origin: Origin = "code"
        if not environment.isdisjoint(names):
            origin = "environment"
        elif not file.isdisjoint(names):
            origin = ".env"
        elif value == field.get_default(call_default_factory=True):
            origin = "default"
        found.append(
            InForce(names[0].upper(), _told(value, field), origin, field.description or "")
        )
    return found


def _folded(names: dict[str, str]) -> set[str]:
    return {name.casefold() for name in names}


def _values(
    model: BaseModel, prefix: str, groups: tuple[str, ...]
) -> Iterator[tuple[list[str], object, FieldInfo]]:
    """Every setting: the names it may be given by, its own first and its groups' last."""
    for name, field in type(model).model_fields.items():
        value, variable = getattr(model, name), f"{prefix}{name}".casefold()
        if isinstance(value, BaseModel):
            yield from _values(value, f"{variable}__", (variable, *groups))
            continue
        alias = field.validation_alias
        own = alias.choices if isinstance(alias, AliasChoices) else [alias or variable]
        yield [*(str(one).casefold() for one in own), *groups], value, field


def _told(value: object, field: FieldInfo) -> str:
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        if value == field.get_default(call_default_factory=True):
            return secret or "not set"
        return f"set, {len(secret)} characters"
    if value is None:
        return "not set"
    return re.sub(r"://[^/@\s]*@", "://…@", re.sub(r"(://[^?]*)\?.*", r"\1?…", str(value)))
