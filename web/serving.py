"""Running an application until it is told to stop: loop, listening sockets, signals, log."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from web.config import DeskConfig

BACKLOG = 4096
STOP_SECONDS = 1.0
"""Requests under way get so long after Ctrl-C."""

_SECRETS = frozenset({"password", "token", "secret", "cookie", "authorization", "csrf"})


def set_up_log(config: DeskConfig) -> None:
    """One line per event on stderr; values whose names are secret's names never appear."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if config.log.format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,  # never with its variables
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_secrets,
            *([structlog.processors.format_exc_info] if config.log.format == "json" else []),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, config.log.level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


def _is_ours(record: logging.LogRecord) -> bool:
    """Requests that are no HTTP are answered and not logged: the log would quote their headers, cookies included."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def _without_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {
        name: "…" if any(word in name.casefold() for word in _SECRETS) and name != "event" else value
        for name, value in event.items()
    }


def listening_socket(address: str, port: int) -> socket.socket:
    """Raises OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((address, port))
    except OSError:
        found.close()
        raise
    found.listen(BACKLOG)
    found.setblocking(False)
    return found


async def start(app: web.Application, sock: socket.socket) -> web.AppRunner:
    """Open the application and serve it on a listening socket."""
    runner = web.AppRunner(
        app,
        handle_signals=False,
        access_log=None,
        shutdown_timeout=STOP_SECONDS,
        keepalive_timeout=75,
    )
    await runner.setup()
    await web.SockSite(runner, sock, backlog=BACKLOG).start()
    return runner


async def serve_until_stopped(
    builders: Sequence[tuple[Callable[[], web.Application], socket.socket]],
    ready: Callable[[Sequence[web.Application]], None] | None = None,
    before: Callable[[Sequence[web.Application]], Any] | None = None,
) -> None:
    """Serve one application per socket until SIGINT or SIGTERM, then stop all of them."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stopped.set)
    runners: list[web.AppRunner] = []
    try:
        apps = []
        for build, sock in builders:
            app = build()
            runners.append(await start(app, sock))
            apps.append(app)
        collect_garbage_again()
        if before is not None:
            await before(apps)
        if ready is not None:
            ready(apps)
        await stopped.wait()
    finally:
        for runner in reversed(runners):
            await runner.cleanup()


def collect_garbage_again() -> None:
    """`vuoro` starts without collecting; what the start has built stays for good and is never searched."""
    gc.freeze()
    gc.enable()


_ARENAS, _OWN_PAGES_FROM = (-8, 2), (-3, 1_000_000)
"""glibc's M_ARENA_MAX and M_MMAP_THRESHOLD: what a password check or a large mail needed is given back afterwards."""


def give_memory_back() -> None:
    """Keep the C library from holding on to what was used once; does nothing where there is no glibc."""
    libc = ctypes.CDLL(None)
    for option, value in (_ARENAS, _OWN_PAGES_FROM):
        with suppress(AttributeError):
            libc.mallopt(option, value)


def run_loop(main: Any) -> None:
    """asyncio.run, on uvloop where there is one."""
    give_memory_back()
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
    else:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main)


def run(build: Callable[[], web.Application], config: DeskConfig) -> None:
    """The whole life of a real desk."""
    set_up_log(config)
    log = structlog.get_logger(__name__)
    try:
        sock = listening_socket(config.server.address, config.server.port)
    except OSError as error:
        raise SystemExit(f"{config.server.address}:{config.server.port}: {error.strerror}") from None
    port = sock.getsockname()[1]
    run_loop(
        serve_until_stopped(
            [(build, sock)],
            ready=lambda _: log.info(
                "the desk is open", url=config.server.url, address=config.server.address, port=port
            ),
        )
    )
    log.info("the desk is closed")
