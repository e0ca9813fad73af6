"""Operators, queues, customers and touchpoints of an event log: ids of any kind become rows of the desk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, select

from inbox.eventlog.rows import Rows
from inbox.people import telephone
from inbox.people.contacts import fold
from inbox.people.operators import NO_PASSWORD
from inbox.store.models import (
    Address,
    Contact,
    Operator,
    Participant,
    PresenceSpan,
    Team,
    TeamMember,
    Touchpoint,
)
from inbox.vocabulary import FROM_A_LOG, AddressKind, ChannelKind, Presence, Role

NOBODYS_DOMAIN = "event-log.invalid"
"""Mail addresses of operators whose ids are none; nothing can be sent there (RFC 2606)."""


class People:
    def __init__(self, conn: Connection, rows: Rows) -> None:
        self._rows = rows
        self._accounts: dict[str, int] = {
            row.email: row.id for row in conn.execute(select(Operator.id, Operator.email))
        }
        self._had_account = set(self._accounts.values())
        self._operators: dict[str, int] = {}
        self._operator_rows: dict[int, dict[str, Any]] = {}
        self._teams: dict[str, int] = {row.name: row.id for row in conn.execute(select(Team.id, Team.name))}
        self._members: set[tuple[int, int]] = {
            (row.team_id, row.operator_id) for row in conn.execute(select(TeamMember.__table__))
        }
        self._contacts: dict[str, int] = {}
        self._contact_rows: dict[int, dict[str, Any]] = {}
        self._addresses: dict[tuple[AddressKind, str], tuple[int, int]] = {}
        self._by_conversation: dict[int, list[int]] = {}
        self._numbers: dict[int, str] = {}
        self._touchpoints: dict[tuple[str, str], int] = {
            (row.channel, row.name): row.id for row in conn.execute(select(Touchpoint.__table__))
        }

    # --- operators and queues -----------------------------------------------------------------------------------

    def operator(self, name: str, at: datetime) -> int:
        known = self._operators.get(name)
        if known is not None:
            return known
        local, at_sign, domain = name.rpartition("@")
        is_address = bool(local and at_sign and domain and len(name) <= 320 and not any(c.isspace() for c in name))
        email = fold(AddressKind.EMAIL, name if is_address else f"{quote(name, safe='')[:200]}@{NOBODYS_DOMAIN}")
        account = self._accounts.get(email)
        if account is None or account in self._operators.values():
            while email in self._accounts:  # “Anna” and “anna” are two people
                email = f"x{email}"[:320]
            row = self._rows.add_with_id(
                Operator, email=email, name=name[:200], title="", password_hash=NO_PASSWORD, role=Role.OPERATOR,
                language="en", preferences={}, presence=Presence.OFFLINE, presence_since=at, created_at=at,
            )  # fmt: skip
            account = int(row["id"])
            self._accounts[email] = account
            self._operator_rows[account] = row
        self._operators[name] = account
        return account

    def describe_operator(self, name: str, called: str, queues: Iterable[str], at: datetime) -> None:
        operator_id = self.operator(name, at)
        row = self._operator_rows.get(operator_id)
        if row is not None and called.strip():
            row["name"] = called.strip()[:200]
        for queue in queues:
            membership = self.team(queue), operator_id
            if membership not in self._members:
                self._members.add(membership)
                self._rows.add(TeamMember, team_id=membership[0], operator_id=operator_id)

    def team(self, name: str) -> int:
        found = self._teams.get(name)
        if found is None:
            found = self._teams[name] = int(self._rows.add_with_id(Team, name=name)["id"])
        return found

    def name_of(self, operator_id: int) -> str:
        return str(self._operator_rows.get(operator_id, {}).get("name", ""))

    def since(self, operator_id: int) -> datetime | None:
        """Since when the log knows of them; None for an account the desk had before."""
        row = self._operator_rows.get(operator_id)
        return None if row is None else row["created_at"]

    def finish(self, spans: Mapping[int, dict[str, Any]], end: datetime) -> None:
        """Nobody's screen is connected when a log has ended: whoever was still here then is not here any more."""
        for operator_id, span in spans.items():
            if span["presence"] != Presence.OFFLINE or operator_id in self._had_account:
                span["ended_at"] = max(end, span["began_at"])
        for operator_id, row in self._operator_rows.items():
            last = spans.get(operator_id)
            began_at = row["created_at"] if last is None else last["ended_at"]
            if began_at is None:
                row["presence_since"] = last["began_at"] if last is not None else end
                continue
            row["presence_since"] = began_at
            self._rows.add_with_id(
                PresenceSpan, operator_id=operator_id, presence=Presence.OFFLINE, began_at=began_at, ended_at=None
            )

    # --- customers ----------------------------------------------------------------------------------------------

    def contact(self, name: str, at: datetime) -> int:
        known = self._contacts.get(name)
        if known is not None:
            return known
        kind, value = _address(name)
        found = self._addresses.get((kind, value))
        if found is None:
            contact = self._rows.add_with_id(Contact, name="", language=None, note="", created_at=at)
            address = self._rows.add_with_id(
                Address, contact_id=contact["id"], kind=kind, value=value, written=name[:400], created_at=at
            )
            found = self._addresses[kind, value] = contact["id"], address["id"]
            self._contact_rows[contact["id"]] = contact
            if kind is AddressKind.PHONE:
                self._numbers[contact["id"]] = value
            elif kind is AddressKind.VISITOR:
                contact["name"] = name[:200]
        self._contacts[name] = found[0]
        return found[0]

    def describe_customer(self, name: str, called: str, language: str, at: datetime) -> None:
        row = self._contact_rows[self.contact(name, at)]
        if called.strip():
            row["name"] = called.strip()[:200]
        if language:
            row["language"] = language[:10]

    def number(self, contact_id: int) -> str | None:
        return self._numbers.get(contact_id)

    def takes_part(self, conversation_id: int, customer: str, at: datetime) -> None:
        address_id = self._addresses[_address(customer)][1]
        self._by_conversation.setdefault(conversation_id, []).append(address_id)
        self._rows.add_with_id(Participant, conversation_id=conversation_id, address_id=address_id, added_at=at)

    def takes_part_too(self, conversation_id: int, like: int, at: datetime) -> None:
        """Whoever takes part in the conversation `like`."""
        for address_id in self._by_conversation.get(like, ()):
            self._rows.add_with_id(Participant, conversation_id=conversation_id, address_id=address_id, added_at=at)
        self._by_conversation[conversation_id] = list(self._by_conversation.get(like, ()))

    def touchpoint(self, channel: ChannelKind, name: str) -> int:
        found = self._touchpoints.get((channel, name))
        if found is None:
            row = self._rows.add_with_id(Touchpoint, channel=channel, name=name)
            found = self._touchpoints[channel, name] = int(row["id"])
        return found


def _address(name: str) -> tuple[AddressKind, str]:
    local, at_sign, domain = name.rpartition("@")
    if local and at_sign and "." in domain and not any(c.isspace() for c in name):
        return AddressKind.EMAIL, fold(AddressKind.EMAIL, name)
    if name.startswith("+") and telephone.e164(name, None) == name:
        return AddressKind.PHONE, name
    return AddressKind.VISITOR, f"{FROM_A_LOG}{name}"[:320]
