"""All settings of one deployment, and those an app adds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, cast

from pydantic import AliasChoices, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from buttress.settings.groups import (
    AccessSettings,
    BackupSettings,
    CacheSettings,
    FilesSettings,
    HealthSettings,
    JobSettings,
    LLMSettings,
    MonitorSettings,
    OIDCSettings,
    PoolSettings,
    TimeoutSettings,
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
