"""The program that reads mails apart from the desk: `python -m channels.email.reader_process FD MODULE:FUNCTION`.

It loads the parser once, then forks a reader for each socket it is handed, in a few milliseconds. A reader answers one
mail after the other until its socket closes. Memory and processor time of each are limited by the operating system.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from channels.email.parse import unreadable
from channels.email.record import Request

MEMORY_BYTES = 1_200_000_000
"""Address space, not what is used: a mail of 50 MB needs a fifth of it."""
CPU_SECONDS = 60
"""Ends a reader whose desk has died meanwhile; a living desk is less patient (`readers.LONGEST_SECONDS`)."""

Parse = Callable[..., Any]


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    module, _, name = sys.argv[2].partition(":")
    parse: Parse = getattr(importlib.import_module(module), name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the desk, and with it our socket
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.freeze()
    while True:
        word, files, _, _ = socket.recv_fds(control, 1, 1)
        if not word or not files:
            return
        if os.fork() == 0:
            control.close()
            with suppress(EOFError, OSError):
                _serve(Connection(files[0]), parse)
            os._exit(0)
        os.close(files[0])


def _serve(connection: Connection, parse: Parse) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    connection.send(os.getpid())
    while True:
        request: Request = connection.recv()
        raw, own_addresses, return_path, only_headers = request
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_SECONDS, hard))
        if only_headers:
            connection.send(unreadable(raw, return_path))
        else:
            connection.send(parse(raw, own_addresses=own_addresses, return_path=return_path))


if __name__ == "__main__":
    main()
