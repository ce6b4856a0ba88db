"""All figures, each beside its peer in the same run: `python -m benchmarks [PART …] [--quick]`.

Prints the tables and writes them into docs/reference/benchmarks.md; naming parts renews only these.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    backup,
    cache,
    catalog,
    catalog_dashboard,
    catalog_product,
    dashboards,
    documents,
    failover,
    health,
    imports,
    jobs,
    monitor,
    move,
    pool,
    tenancy,
    web,
)
from buttress.db.embedded import Servers, start_servers

PAGE = Path("docs/reference/benchmarks.md")
HEAD = """# Benchmarks

Each part says which command made it and when. Peers ran in the same run, in alternating rounds, on the
same embedded servers. Machines differ, and these were noisy: trust the ratios.
"""
PARTS: dict[str, Callable[[Servers, bool], list[str]]] = {
    "move": move.lines,
    "cache": cache.lines,
    "pool": pool.lines,
    "monitor": monitor.lines,
    "imports": imports.lines,
    "dashboards": dashboards.lines,
    "jobs": jobs.lines,
    "backup": backup.lines,
    "failover": failover.lines,
    "health": health.lines,
    "web": web.lines,
    "documents": documents.lines,
    "catalog": catalog.lines,
    "catalog-product": catalog_product.lines,
    "catalog-dashboard": catalog_dashboard.lines,
    "tenancy": tenancy.lines,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all unless named"
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer rows and rounds, nothing written"
    )
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory() as home, start_servers(Path(home)) as servers:
            text = "\n".join(PARTS[name](servers, options.quick)).strip()
        print(text, end="\n\n", flush=True)
        if not options.quick:
            _renew(name, text)


def _renew(name: str, text: str) -> None:
    """Put one part into the page, in its place among the others."""
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    found = dict(re.findall(r"<!-- ([\w-]+) -->\n(.*?)\n<!-- end -->", page, re.DOTALL))
    made = (
        f"*`python -m benchmarks {name}`, {dt.datetime.now(dt.UTC):%Y-%m-%d}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}.*"
    )
    title, _, rest = text.partition("\n")
    found[name] = f"{title}\n\n{made}\n{rest}"
    parts = [f"<!-- {part} -->\n{found[part]}\n<!-- end -->\n" for part in PARTS if part in found]
    PAGE.write_text("\n".join([HEAD, *parts]), encoding="utf-8")


if __name__ == "__main__":
    main()
