"""`make bench`: every benchmark of this folder, one table. Ours beside a reference in the same run; read the ratios."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import sys

from tests import bench


def main() -> None:
    """Modules with a `bench()` take part; names on the command line choose among them."""
    wanted = set(sys.argv[1:])
    names = [m.name for m in pkgutil.iter_modules(bench.__path__) if not wanted or m.name in wanted]
    sys.stdout.write(f"{'':60} {'ours':>12} {'reference':>12} {'ratio':>8}\n")
    for name in sorted(names):
        measure = getattr(importlib.import_module(f"tests.bench.{name}"), "bench", None)
        if measure is None:
            continue
        for what, ours, theirs, ratio in asyncio.run(measure()):
            sys.stdout.write(f"{what:60} {ours:12.2f} {theirs:12.2f} {ratio:8.2f}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
