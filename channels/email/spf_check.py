"""SPF (RFC 7208) by pyspf, whose questions go to our own name servers. Blocking, bounded in time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from channels.email.dns import Dns, DnsTrouble

WHOLE_CHECK_SECONDS = 8
_ASKS: ContextVar[Dns] = ContextVar("spf_asks")


@lru_cache(1)
def _spf() -> Any:
    """Imported when first needed, with its warnings swallowed: it was written for older Pythons."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import spf
    spf.DNSLookup = _look_up
    return spf


def _look_up(name: str, kind: str, strict: object = True, timeout: float = 20) -> Iterator[tuple[tuple[str, str], Any]]:
    """pyspf's own seam for DNS: pairs of (name, kind) and what it wants to see of a record."""
    try:
        records = _ASKS.get().ask(name, kind)
    except DnsTrouble as error:
        raise _spf().TempError(f"DNS {error}") from error
    for record in records:
        match kind:
            case "A" | "AAAA":
                value: Any = record.address
            case "MX":
                value = (record.preference, record.exchange.to_text(True))
            case "PTR":
                value = record.target.to_text(True)
            case _:
                value = record.strings
        yield (name, kind), value


def check(dns: Dns, *, peer: str, helo: str, sender: str) -> str:
    """pass, fail, softfail, neutral, none, temperror or permerror, for the envelope sender (HELO where it is empty)."""
    spf = _spf()
    held = _ASKS.set(dns)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            query = spf.query(i=peer, s=sender, h=helo, timeout=WHOLE_CHECK_SECONDS, querytime=WHOLE_CHECK_SECONDS)
            result = query.check()[0]
    except spf.TempError:
        return "temperror"
    except Exception:  # a record that the library stumbles over is a broken record
        return "permerror"
    finally:
        _ASKS.reset(held)
    return str(result)
