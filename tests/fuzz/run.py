"""One process of the fuzzing; mails follow from the seed and their number alone."""

from __future__ import annotations

import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, perf_counter
from types import FrameType
from typing import Any

import structlog

from tests.fuzz.checks import faults
from tests.fuzz.mutations import mutant, seeds

SLOWEST_SECONDS = 10.0


class TooSlowError(BaseException):
    """Raised into the parser; no handler of ordinary errors may swallow it."""


def made(seed: int, number: int, mails: Sequence[bytes]) -> bytes:
    return mutant(random.Random(f"{seed}:{number}"), mails)


def run(seed: int, until: float, folder: Path, at: Any, faulty: Any, slowest: Any) -> None:
    """`at`, `faulty` and `slowest` are shared values: where it is, mails with a fault, seconds of the slowest."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    mails = seeds()

    def too_slow(signum: int, frame: FrameType | None) -> None:
        raise TooSlowError

    signal.signal(signal.SIGALRM, too_slow)
    while monotonic() < until:
        number = at.value
        raw = made(seed, number, mails)
        begin = perf_counter()
        signal.setitimer(signal.ITIMER_REAL, SLOWEST_SECONDS)
        try:
            found = faults(raw)
        except TooSlowError:
            found = [f"longer than {SLOWEST_SECONDS} s"]
        except Exception as error:  # whatever it is, it is what we look for
            found = [f"{type(error).__name__}: {error}"]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        slowest.value = max(slowest.value, perf_counter() - begin)
        if found:
            faulty.value += 1
            keep(folder, seed, number, raw, "; ".join(found))
        at.value = number + 1


def keep(folder: Path, seed: int, number: int, raw: bytes, why: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{seed}-{number}.eml"
    path.write_bytes(raw)
    sys.stdout.write(f"{path}: {why}\n")
    sys.stdout.flush()
