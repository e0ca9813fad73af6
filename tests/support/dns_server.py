"""A name server on a free port: real questions and answers over UDP, from records a test has written down."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Records = Mapping[str, Mapping[str, Sequence[str]]]
"""`{"shop.test": {"TXT": ["v=spf1 -all"], "MX": ["10 mx.shop.test."]}}`"""


class DnsServer:
    """`silent` names get no answer at all, as from a server that is down; `asked` remembers the questions."""

    def __init__(self, records: Records, silent: Sequence[str] = ()) -> None:
        self.records = {
            name.lower(): {kind: list(values) for kind, values in of.items()} for name, of in records.items()
        }
        self.silent = set(silent)
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="dns-server", daemon=True)

    def __enter__(self) -> DnsServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as poke:
            poke.sendto(b"stop", ("127.0.0.1", self.port))
        self._thread.join(timeout=5)
        self._socket.close()

    def txt(self, name: str, *values: str) -> None:
        self.records.setdefault(name.lower(), {})["TXT"] = list(values)

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if data == b"stop":
                return
            try:
                question = dns.message.from_wire(data)
            except dns.exception.DNSException:
                continue
            asked = question.question[0]
            name, kind = asked.name.to_text(True).lower(), dns.rdatatype.to_text(asked.rdtype)
            self.asked.append((name, kind))
            if any(name == one or name.endswith(f".{one}") for one in self.silent):
                continue
            answer = dns.message.make_response(question)
            answer.flags |= dns.flags.RA
            known = self.records.get(name)
            if known is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif known.get(kind):
                written = [_quoted(one) if kind == "TXT" else one for one in known[kind]]
                answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *written))
            self._socket.sendto(answer.to_wire(max_size=65000), peer)


def _quoted(text: str) -> str:
    """TXT records consist of pieces of at most 255 bytes."""
    escaped = [text[at : at + 250].replace("\\", "\\\\").replace('"', '\\"') for at in range(0, len(text), 250)]
    return " ".join(f'"{piece}"' for piece in escaped) or '""'


@contextmanager
def answering(records: Records, silent: Sequence[str] = ()) -> Iterator[DnsServer]:
    with DnsServer(records, silent) as server:
        yield server
