"""`python -m benchmarks.torture`: every mode of ours, then the peers; 0 stale reads of ours or exit 1."""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.torture.actors import Judgement
from benchmarks.torture.caches import LAYERS
from benchmarks.torture.run import run

COLUMNS = "{name:<34} {reads:>9} {writes:>7} {stale:>7} {dirty:>6} {backwards:>9} {own:>5} {residual:>8} {refused:>7}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture", description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="length of each run (default 15)")
    parser.add_argument("--only", default="", help="layers whose name contains this")
    options = parser.parse_args()
    heads = {field: field for field in Judgement.__dataclass_fields__ if field != "examples"}
    print(COLUMNS.format(name="layer", **heads), flush=True)
    strict, began = Judgement(), time.monotonic()
    for layer in LAYERS:
        if options.only not in layer.name:
            continue
        found = run(layer, options.seconds)
        if layer.strict:
            strict += found
            print(*sorted(found.examples), sep="\n", end="\n" if found.examples else "")
        print(COLUMNS.format(name=layer.name, **vars(found)), flush=True)
    wrong = strict.stale + strict.dirty + strict.backwards + strict.own + strict.residual
    print(
        f"strict modes: own misreads {strict.own} residual {strict.residual} "
        f"({time.monotonic() - began:.0f} s)\n"
        f"total reads {strict.reads} stale {strict.stale} dirty {strict.dirty} "
        f"backwards {strict.backwards}"
    )
    sys.exit(1 if wrong or not strict.reads else 0)


if __name__ == "__main__":
    main()
