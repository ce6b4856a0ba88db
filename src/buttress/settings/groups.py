"""The groups of settings: what each part of the foundation lets a deployment choose."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


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
