"""The settings of one deployment, and the only room that reads the environment."""

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
from buttress.settings.in_force import Given, InForce, given, in_force, known_names
from buttress.settings.settings import AppSettings, Settings, known_name

__all__ = [
    "AccessSettings",
    "AppSettings",
    "BackupSettings",
    "CacheSettings",
    "FilesSettings",
    "Given",
    "HealthSettings",
    "InForce",
    "JobSettings",
    "LLMSettings",
    "MonitorSettings",
    "OIDCSettings",
    "PoolSettings",
    "Settings",
    "TimeoutSettings",
    "given",
    "in_force",
    "known_name",
    "known_names",
]
