"""Mails are read in processes of their own: what hangs, crashes or swells in there hurts no other mail and no desk.

See docs/decisions for why all mails and not only suspicious ones. Processes start with the first mail and end when none
came for a while.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from threading import Lock

import structlog

from channels.email.record import InboundMail, Request, not_read

log = structlog.get_logger(__name__)

AT_ONCE = 2
SLOW_AT_ONCE = 3
HURRY_SECONDS = 0.5
"""A mail that takes longer gives its place to others and goes on beside them, at the lowest priority."""
LONGEST_SECONDS = 20.0
HEADERS_SECONDS = 2.0
IDLE_SECONDS = 600.0
STARTS_WITHIN_SECONDS = 30.0
PARSER = "channels.email.parse:parse"

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE")
"""Of the environment: a reader has no use for the desk's secrets."""


class ReaderDiedError(Exception):
    """The process ended in the middle of a mail: killed, out of memory, or broken."""


class _Reader:
    """One process and the line to it. All methods block."""

    def __init__(self, connection: Connection) -> None:
        """Raises ReaderDiedError when it does not start."""
        self._connection = connection
        try:
            if not connection.poll(STARTS_WITHIN_SECONDS):
                raise ReaderDiedError("it did not start")
            self._pid: int = connection.recv()
        except (EOFError, OSError) as error:
            raise ReaderDiedError(f"it did not start: {error}") from error

    def ask(self, request: Request) -> InboundMail:
        try:
            self._connection.send(request)
            mail = self._connection.recv()
        except (EOFError, OSError) as error:
            raise ReaderDiedError(str(error) or type(error).__name__) from error
        assert isinstance(mail, InboundMail)
        return mail

    def is_alive(self) -> bool:
        """Of one that waits: it says nothing unasked, so there is something to hear only when its line has ended."""
        try:
            return not self._connection.poll()
        except OSError:
            return False

    def step_back(self) -> None:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self._pid, 19)

    def kill(self) -> None:
        with suppress(OSError):
            os.kill(self._pid, signal.SIGKILL)

    def close(self) -> None:
        with suppress(OSError):
            self._connection.close()


class Readers:
    """`async with` it. `parser` names the function that reads, as `module:function`."""

    def __init__(self, *, parser: str = PARSER, longest_seconds: float = LONGEST_SECONDS) -> None:
        self._parser, self._longest = parser, longest_seconds
        self._threads = ThreadPoolExecutor(AT_ONCE + SLOW_AT_ONCE + 2, thread_name_prefix="mail-reader")
        self._fast, self._slow = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(SLOW_AT_ONCE)
        self._free: list[_Reader] = []
        self._all: set[_Reader] = set()
        self._lock = Lock()
        self._program: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._reading = 0
        self._rest: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Readers:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._rest is not None:
            self._rest.cancel()
        for reader in list(self._all):
            reader.kill()
        self._end()
        self._threads.shutdown(wait=False, cancel_futures=True)

    @property
    def is_running(self) -> bool:
        return self._program is not None

    async def read(self, raw: bytes, *, own_addresses: Collection[str], return_path: str | None) -> InboundMail:
        """Never raises for what the mail is. One beyond the limits comes back marked "unreadable", with what its
        headers say."""
        self._reading += 1
        if self._rest is not None:
            self._rest.cancel()
        try:
            return await self._read((raw, own_addresses, return_path, False))
        finally:
            self._reading -= 1
            if not self._reading:
                self._rest = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._end)

    async def _read(self, request: Request) -> InboundMail:
        await self._fast.acquire()
        hurried = True
        try:
            reader = await asyncio.to_thread(self._take) if not self._free else self._take()
            asked = asyncio.get_running_loop().run_in_executor(self._threads, reader.ask, request)
            done, _ = await asyncio.wait({asked}, timeout=HURRY_SECONDS)
            if not done and not self._slow.locked():
                self._fast.release()  # the next mail gets a reader of its own, and this one the rest of the machine
                hurried = False
                reader.step_back()
                async with self._slow:
                    return await self._finish(reader, asked, request)
            if not done:
                reader.kill()  # too many slow ones at once: it waits for its turn and begins again
                await asyncio.wait({asked})
        finally:
            if hurried:
                self._fast.release()
        if done:
            return await self._finish(reader, asked, request)
        self._gone(reader)
        _ignored(asked)
        async with self._slow:
            reader = await asyncio.to_thread(self._take)
            asked = asyncio.get_running_loop().run_in_executor(self._threads, reader.ask, request)
            await asyncio.wait({asked}, timeout=HURRY_SECONDS)
            reader.step_back()
            return await self._finish(reader, asked, request)

    async def _finish(self, reader: _Reader, asked: asyncio.Future[InboundMail], request: Request) -> InboundMail:
        why = f"longer than {self._longest:g} s"
        try:
            done, _ = await asyncio.wait({asked}, timeout=self._longest)
        except asyncio.CancelledError:
            reader.kill()
            self._gone(reader)
            _ignored(asked)
            raise
        if done:
            try:
                mail = asked.result()
                self._given_back(reader)
                return mail
            except ReaderDiedError as error:
                why = str(error)
        reader.kill()
        await asyncio.wait({asked})
        _ignored(asked)
        self._gone(reader)
        raw, own_addresses, return_path, only_headers = request
        log.warning("a mail could not be read", size_bytes=len(raw), why=why, only_headers=only_headers)
        if only_headers:
            return not_read(raw, return_path)
        return await self._headers((raw, own_addresses, return_path, True))

    async def _headers(self, request: Request) -> InboundMail:
        reader = await asyncio.to_thread(self._take)
        asked = asyncio.get_running_loop().run_in_executor(self._threads, reader.ask, request)
        done, _ = await asyncio.wait({asked}, timeout=HEADERS_SECONDS)
        if done and asked.exception() is None:
            self._given_back(reader)
            return asked.result()
        reader.kill()
        await asyncio.wait({asked})
        _ignored(asked)
        self._gone(reader)
        return not_read(request[0], request[2])

    def _take(self) -> _Reader:
        """A reader that waits, else a new one. Blocking while the program starts."""
        with self._lock:
            while self._free:
                reader = self._free.pop()
                if reader.is_alive():
                    return reader
                reader.close()  # killed while it waited, perhaps for want of memory: the next mail is not to blame
                self._all.discard(reader)
            ours, theirs = socket.socketpair()
            try:
                socket.send_fds(self._started(), [b"+"], [theirs.fileno()])
            except OSError:  # the program has died: once more, with a new one
                self._forget_program()
                socket.send_fds(self._started(), [b"+"], [theirs.fileno()])
            theirs.close()
        reader = _Reader(Connection(ours.detach()))
        with self._lock:
            self._all.add(reader)
        return reader

    def _given_back(self, reader: _Reader) -> None:
        with self._lock:
            self._free.append(reader)

    def _gone(self, reader: _Reader) -> None:
        reader.close()
        with self._lock:
            self._all.discard(reader)

    def _started(self) -> socket.socket:
        if self._control is not None:
            return self._control
        ours, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(one for one in ("", *sys.path))
        self._program = subprocess.Popen(
            [sys.executable, "-m", "channels.email.reader_process", str(theirs.fileno()), self._parser],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            env=environment,
        )
        theirs.close()
        self._control = ours
        return ours

    def _end(self) -> None:
        with self._lock:
            for reader in self._free:
                reader.close()
                self._all.discard(reader)
            self._free.clear()
            self._forget_program()

    def _forget_program(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._program is not None:
            self._program.kill()
            self._program.wait()
            self._program = None


def _ignored(asked: asyncio.Future[InboundMail]) -> None:
    if not asked.cancelled():
        asked.exception()
