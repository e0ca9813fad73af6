"""A Redis of our own."""

from __future__ import annotations

import shutil

from tests.support.processes import Server, free_port, listens, own_folder, program


class RedisServer:
    def __init__(self) -> None:
        self.port = free_port()
        self._folder = own_folder("redis")
        command = [program("redis-server", "redis-server"), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self._folder)]
        self._server = Server("redis", command, self._folder)
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._server.start(lambda: listens(self.port))

    def stop(self) -> None:
        """`start` brings it back on the same port, empty."""
        self._server.stop()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
