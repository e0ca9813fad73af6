"""Who is to get no more mail that the desk writes by itself, and the links by which they say so.

A link names the address and the topic and is signed, so that it works without signing in (RFC 8058) and for nobody
else. It does not run out: somebody may find the mail after years.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, delete, select

from inbox.people.contacts import fold
from inbox.store.models import MailStop
from inbox.store.transaction import Transaction
from inbox.vocabulary import AddressKind

EVERYTHING = ""
"""The topic that stands for all that the desk writes by itself."""
PATH = "/unsubscribe/"
_MAC_BYTES = 16
_BY_MAIL = re.compile(r"^\s*(?:re:\s*)?unsubscribe\s+([A-Za-z0-9_.-]{20,900})\s*$", re.IGNORECASE)


class StopReason(StrEnum):
    """Values are stored."""

    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


@dataclass(frozen=True, slots=True)
class Wish:
    address: str
    topic: str


class UnsubscribeLinks:
    """`url` is the desk's own, without a slash at the end."""

    def __init__(self, secret: str, url: str) -> None:
        self._key, self._url = hmac.digest(secret.encode(), b"unsubscribe", "sha256"), url.rstrip("/")

    def token(self, address: str, topic: str) -> str:
        said = json.dumps([fold(AddressKind.EMAIL, address), topic], ensure_ascii=False).encode()
        return f"{_text(said)}.{_text(self._mac(said))}"

    def link(self, address: str, topic: str) -> str:
        return f"{self._url}{PATH}{self.token(address, topic)}"

    def read(self, token: str) -> Wish | None:
        """None for one that we have not made."""
        said, _, mac = token[:1500].partition(".")
        try:
            plain = _bytes(said)
            if not hmac.compare_digest(_bytes(mac), self._mac(plain)):
                return None
            address, topic = json.loads(plain)
        except (ValueError, binascii.Error):
            return None
        return Wish(str(address), str(topic))

    def read_subject(self, subject: str) -> Wish | None:
        """What a mail to the address in List-Unsubscribe asks for; None for any other mail."""
        found = _BY_MAIL.match(subject[:1000])
        return self.read(found[1]) if found else None

    def _mac(self, said: bytes) -> bytes:
        return hmac.digest(self._key, said, "sha256")[:_MAC_BYTES]


def stop(tx: Transaction, address: str, topic: str, reason: StopReason, *, now: datetime) -> None:
    """Said twice, the first time counts."""
    value = fold(AddressKind.EMAIL, address)
    if _is_stopped(tx.conn, value, topic):
        return
    tx.insert(MailStop, address=value, topic=topic[:40], reason=reason, at=now)


def allow(tx: Transaction, address: str, topic: str) -> None:
    """They want it after all."""
    tx.conn.execute(
        delete(MailStop).where(
            MailStop.address == fold(AddressKind.EMAIL, address),
            MailStop.topic == topic,
            MailStop.reason == StopReason.UNSUBSCRIBED,
        )
    )


def is_stopped(conn: Connection, address: str, topic: str) -> bool:
    return _is_stopped(conn, fold(AddressKind.EMAIL, address), topic, EVERYTHING)


def has_complained(conn: Connection, address: str) -> bool:
    """About any mail of ours: nothing automatic goes there any more."""
    value = fold(AddressKind.EMAIL, address)
    found = select(MailStop.id).where(MailStop.address == value, MailStop.reason == StopReason.COMPLAINED).limit(1)
    return conn.execute(found).first() is not None


def _is_stopped(conn: Connection, value: str, *topics: str) -> bool:
    found = select(MailStop.id).where(MailStop.address == value, MailStop.topic.in_(topics)).limit(1)
    return conn.execute(found).first() is not None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
