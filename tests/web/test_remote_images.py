"""Pictures that mails point at: fetched for operators, from the open internet only; nothing is told of the reader."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from inbox.clock import ManualClock
from web.remote_images import NoPicture, RemoteImages, is_public

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001"
    "a5f645400000000049454e44ae426082"
)
HOST = "127.0.0.2"
"""Stands for the open internet; 127.0.0.1 is the inside of the desk's own network."""


class Outside:
    """A server of pictures, which notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.port = 0
        self.slow = asyncio.Event()

    def url(self, path: str, host: str = HOST) -> str:
        return f"http://{host}:{self.port}{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        path = request.path
        if path == "/inside":
            raise web.HTTPFound(self.url("/picture.png", "127.0.0.1"))
        if path == "/moved":
            raise web.HTTPFound("/picture.png")
        if path == "/round":
            raise web.HTTPFound("/round")
        if path == "/file":
            raise web.HTTPFound("file:///etc/passwd")
        if path == "/slow":
            await self.slow.wait()
        if path == "/vector.png":
            return web.Response(body=b"<svg xmlns='http://www.w3.org/2000/svg'/>", content_type="image/png")
        if path == "/large.png":
            response = web.StreamResponse()
            response.enable_chunked_encoding()
            await response.prepare(request)
            for _ in range(40):
                await response.write(PNG + b"\x00" * 1000)
            return response
        if path == "/gone.png":
            raise web.HTTPNotFound
        answer = web.Response(body=PNG, content_type="text/html")
        answer.set_cookie("who", "reader")
        return answer


class Names(AbstractResolver):
    """A name service under somebody else's control."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0)
            for one in self._addresses
        ]

    async def close(self) -> None: ...


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    server = Outside()
    app = web.Application()
    app.router.add_get("/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "0.0.0.0", 0)
    await site.start()
    server.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    yield server
    server.slow.set()
    await runner.cleanup()


@pytest.fixture
async def images(outside: Outside, clock: ManualClock) -> AsyncIterator[RemoteImages]:
    fetcher = _fetcher(outside, clock)
    yield fetcher
    await fetcher.close()


def _fetcher(outside: Outside, clock: ManualClock, **more: Any) -> RemoteImages:
    more.setdefault("most_bytes", 10_000)
    return RemoteImages(clock, allowed=lambda one: str(one) == HOST, ports={outside.port}, **more)


async def test_a_picture_is_what_its_bytes_say_and_its_server_learns_nothing(
    outside: Outside, images: RemoteImages
) -> None:
    found = await images.get(outside.url("/picture.png"))
    assert (found.content, found.media_type) == (PNG, "image/png")
    await images.get(outside.url("/other.png"))
    for request in outside.asked:
        assert not {"Cookie", "Referer", "Origin", "X-Forwarded-For", "Authorization"} & set(request.headers)


async def test_a_redirect_is_followed_and_checked_anew(outside: Outside, images: RemoteImages) -> None:
    assert (await images.get(outside.url("/moved"))).content == PNG
    before = len(outside.asked)
    for path in ("/inside", "/file", "/round"):
        with pytest.raises(NoPicture):
            await images.get(outside.url(path))
    assert {one.url.host for one in outside.asked[before:]} == {HOST}


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/picture.png",
        "http://localhost:{port}/picture.png",
        "http://2130706433:{port}/picture.png",
        "http://0x7f.1:{port}/picture.png",
        "http://[::1]:{port}/picture.png",
        "http://[::ffff:127.0.0.1]:{port}/picture.png",
        "http://127.0.0.2:1/picture.png",
        "http://user:word@127.0.0.2:{port}/picture.png",
        "ftp://127.0.0.2:{port}/picture.png",
        "file:///etc/passwd",
        "gopher://127.0.0.2:{port}/",
        "//127.0.0.2/picture.png",
        "http://",
        "http://[",
        "",
    ],
)
async def test_nothing_inside_the_desks_own_network_is_asked(
    outside: Outside, images: RemoteImages, address: str
) -> None:
    with pytest.raises(NoPicture):
        await images.get(address.format(port=outside.port))
    assert outside.asked == []


async def test_a_name_that_also_stands_for_an_inner_address_is_refused_whole(
    outside: Outside, clock: ManualClock
) -> None:
    both = _fetcher(outside, clock, resolver=lambda: Names(HOST, "127.0.0.1"))
    with pytest.raises(NoPicture):
        await both.get(outside.url("/picture.png", "pictures.example"))
    assert outside.asked == []
    good = _fetcher(outside, clock, resolver=lambda: Names(HOST))
    assert (await good.get(outside.url("/picture.png", "pictures.example"))).content == PNG
    await both.close()
    await good.close()


@pytest.mark.parametrize("path", ["/large.png", "/vector.png", "/gone.png"])
async def test_what_is_too_large_no_picture_or_not_there_is_not_shown(
    outside: Outside, images: RemoteImages, path: str
) -> None:
    with pytest.raises(NoPicture):
        await images.get(outside.url(path))


async def test_a_server_that_never_answers_is_given_up(outside: Outside, clock: ManualClock) -> None:
    hasty = _fetcher(outside, clock, seconds=0.2)
    with pytest.raises(NoPicture):
        await hasty.get(outside.url("/slow"))
    await hasty.close()


async def test_a_picture_is_asked_for_once_until_it_has_grown_old(
    outside: Outside, images: RemoteImages, clock: ManualClock
) -> None:
    url = outside.url("/picture.png")
    await asyncio.gather(*(images.get(url) for _ in range(5)))
    await images.get(url)
    assert len(outside.asked) == 1
    clock.advance(timedelta(hours=25))
    await images.get(url)
    assert len(outside.asked) == 2
    for _ in range(3):
        with pytest.raises(NoPicture):
            await images.get(outside.url("/gone.png"))
    assert len(outside.asked) == 3


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("10.0.0.1", False),
        ("172.16.3.4", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fc00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False),
        ("2001:0:53aa:64c:0:1:f5ff:fffe", False),
    ],
)
def test_only_addresses_of_the_open_internet_are_asked(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public
