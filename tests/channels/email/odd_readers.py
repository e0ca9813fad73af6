"""A parser for the reader processes that does what a mail's subject asks for."""

from __future__ import annotations

import os
import time
from collections.abc import Collection

from channels.email import parse as ordinary
from channels.email.record import InboundMail


def parse(raw: bytes, *, own_addresses: Collection[str] = (), return_path: str | None = None) -> InboundMail:
    """ "hang": never ends and holds the interpreter; "die": ends the process; "swell": takes all the memory."""
    if b"Subject: hang" in raw:
        while True:
            time.sleep(0)
    if b"Subject: die" in raw:
        os.abort()
    if b"Subject: swell" in raw:
        kept = []
        while True:
            kept.append(bytearray(50_000_000))
    return ordinary.parse(raw, own_addresses=own_addresses, return_path=return_path)
