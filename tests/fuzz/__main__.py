"""`python -m tests.fuzz --minutes 60`: mails nobody would write, until the time is over; every fault is kept.

The mails follow from the seed and their number alone, so that a process that dies says which one killed it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from ctypes import c_double, c_longlong
from pathlib import Path
from time import monotonic
from typing import Any

from tests.fuzz.mutations import seeds
from tests.fuzz.run import keep, made, run


def main() -> None:
    arguments = argparse.ArgumentParser(description="Damaged mails against the parser, the guard and the answers.")
    arguments.add_argument("--minutes", type=float, default=1.0)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--keep", type=Path, default=Path("build/fuzz"), help="where faulty mails are written")
    wanted = arguments.parse_args()
    context = multiprocessing.get_context("spawn")
    at: Any = context.Value(c_longlong, 0, lock=False)
    faulty: Any = context.Value(c_longlong, 0, lock=False)
    slowest: Any = context.Value(c_double, 0.0, lock=False)
    until, killed = monotonic() + wanted.minutes * 60, 0
    while monotonic() < until:
        child = context.Process(target=run, args=(wanted.seed, until, wanted.keep, at, faulty, slowest))
        child.start()
        child.join()
        if child.exitcode != 0:
            killed += 1
            keep(wanted.keep, wanted.seed, at.value, made(wanted.seed, at.value, seeds()), f"died {child.exitcode}")
            at.value += 1
    sys.stdout.write(
        f"{at.value} mails in {wanted.minutes:g} minutes, {faulty.value} with a fault, {killed} deaths of the process, "
        f"slowest {slowest.value:.2f} s\n"
    )
    sys.exit(1 if faulty.value or killed else 0)


if __name__ == "__main__":
    main()
