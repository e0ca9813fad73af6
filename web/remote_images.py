"""Pictures that mails point at, fetched by the desk so that their senders learn nothing of who reads them, or where.

Fetched only when an operator asks. Nothing inside the desk's own network can be reached through here: every address a
name stands for is checked, the connection goes to the checked one, and each redirect is checked anew.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import AF_UNSPEC, AddressFamily
from typing import Any

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from inbox.clock import Clock
from inbox.errors import InboxError
from inbox.store.attachments import SHOWN_INLINE, media_type
from inbox.words import N_

log = structlog.get_logger(__name__)

MOST_BYTES = 5_000_000
MOST_CACHED_BYTES = 64_000_000
SECONDS = 10.0
AT_ONCE = 8
MOST_REDIRECTS = 5
KEPT = timedelta(hours=24)
KEPT_IN_VAIN = timedelta(minutes=5)
_PORTS = frozenset({80, 443})
_HEADERS = {
    "Accept": ", ".join(sorted(SHOWN_INLINE)),
    "Accept-Encoding": "identity",  # what is unpacked here could grow without end
    "User-Agent": "Mozilla/5.0 (compatible; picture proxy)",
}
_CARRIES_IPV4 = ip_network("64:ff9b::/96")

Address = IPv4Address | IPv6Address


class NoPicture(InboxError):
    """`why` is for the log: what a picture's server did wrong concerns nobody else."""

    code = "not_found"

    def __init__(self, why: str) -> None:
        super().__init__(N_("This picture could not be fetched."))
        self.why = why


@dataclass(frozen=True, slots=True)
class Picture:
    """`media_type` as the bytes say, whatever the server called them."""

    content: bytes
    media_type: str


def is_public(address: Address) -> bool:
    """An address of the open internet, also when it is wrapped into another kind."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _CARRIES_IPV4:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local or address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class _CheckedResolver(AbstractResolver):
    """Names as the system knows them; one forbidden address among them forbids the name."""

    def __init__(self, inner: AbstractResolver, allowed: Callable[[Address], bool]) -> None:
        self._inner, self._allowed = inner, allowed

    async def resolve(self, host: str, port: int = 0, family: AddressFamily | int = AF_UNSPEC) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)  # type: ignore[arg-type]
        if not found or not all(self._allowed(ip_address(one["host"].partition("%")[0])) for one in found):
            raise NoPicture(f"{host} is not on the internet")
        return found

    async def close(self) -> None:
        await self._inner.close()


class RemoteImages:
    def __init__(
        self,
        clock: Clock,
        *,
        allowed: Callable[[Address], bool] = is_public,
        ports: Collection[int] = _PORTS,
        resolver: Callable[[], AbstractResolver] = ThreadedResolver,
        most_bytes: int = MOST_BYTES,
        seconds: float = SECONDS,
    ) -> None:
        self._clock, self._allowed, self._ports, self._resolver = clock, allowed, ports, resolver
        self._most_bytes, self._seconds = most_bytes, seconds
        self._session: aiohttp.ClientSession | None = None
        self._room = asyncio.Semaphore(AT_ONCE)
        self._fetching: dict[str, asyncio.Task[Picture]] = {}
        self._kept: OrderedDict[str, tuple[Picture | NoPicture, datetime]] = OrderedDict()
        self._kept_bytes = 0

    async def get(self, address: str) -> Picture:
        """Raises NoPicture. Several who ask for one picture at once make one request."""
        kept = self._kept.get(address)
        if kept is not None and kept[1] > self._clock.now():
            self._kept.move_to_end(address)
            if isinstance(kept[0], NoPicture):
                raise kept[0]
            return kept[0]
        task = self._fetching.get(address)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch(address))
            self._fetching[address] = task
            task.add_done_callback(lambda done: self._settle(address, done))
        return await asyncio.shield(task)

    async def close(self) -> None:
        for task in list(self._fetching.values()):
            task.cancel()
        if self._session is not None:
            await self._session.close()

    def _settle(self, address: str, task: asyncio.Task[Picture]) -> None:
        self._fetching.pop(address, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._keep(address, task.result(), KEPT)
        elif isinstance(error, NoPicture):
            log.info("remote picture not shown", why=error.why)
            self._keep(address, error, KEPT_IN_VAIN)

    def _keep(self, address: str, found: Picture | NoPicture, lasts: timedelta) -> None:
        self._forget(address)
        self._kept[address] = found, self._clock.now() + lasts
        self._kept_bytes += _size(address, found)
        while self._kept_bytes > MOST_CACHED_BYTES:
            self._forget(next(iter(self._kept)))

    def _forget(self, address: str) -> None:
        before = self._kept.pop(address, None)
        if before is not None:
            self._kept_bytes -= _size(address, before[0])

    async def _fetch(self, address: str) -> Picture:
        try:
            async with self._room, asyncio.timeout(self._seconds):
                return await self._follow(URL(address))
        except NoPicture:
            raise
        except TimeoutError as error:
            raise NoPicture("it took too long") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            inner = error.__cause__
            raise NoPicture(inner.why if isinstance(inner, NoPicture) else type(error).__name__) from error

    async def _follow(self, url: URL) -> Picture:
        for _ in range(MOST_REDIRECTS):
            self._check(url)
            async with self._line().get(url, headers=_HEADERS, allow_redirects=False) as response:
                if response.status in (301, 302, 303, 307, 308) and "Location" in response.headers:
                    url = url.join(URL(response.headers["Location"]))
                    continue
                if response.status != 200:
                    raise NoPicture(f"status {response.status}")
                return await self._read(response)
        raise NoPicture("too many redirects")

    async def _read(self, response: Any) -> Picture:
        if (response.content_length or 0) > self._most_bytes:
            raise NoPicture("too large")
        content = bytearray()
        async for chunk in response.content.iter_chunked(65_536):
            content += chunk
            if len(content) > self._most_bytes:
                raise NoPicture("too large")
        found = media_type(bytes(content))
        if found not in SHOWN_INLINE:
            raise NoPicture(f"{found} is no picture")
        return Picture(bytes(content), found)

    def _check(self, url: URL) -> None:
        """The parts of an address that need no look-up; names are checked when they are resolved."""
        if url.scheme not in ("http", "https") or not url.host or url.user or url.password:
            raise NoPicture("not an address of a picture")
        if url.port not in self._ports:
            raise NoPicture(f"port {url.port}")
        try:
            literal = ip_address(url.host.partition("%")[0])
        except ValueError:
            return
        if not self._allowed(literal):
            raise NoPicture(f"{url.host} is not on the internet")

    def _line(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_CheckedResolver(self._resolver(), self._allowed),
                    use_dns_cache=False,
                    force_close=True,
                    limit=AT_ONCE,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session


def _size(address: str, found: Picture | NoPicture) -> int:
    return len(address) + 500 + (len(found.content) if isinstance(found, Picture) else 0)
