"""A line to a mail server that can be frozen or cut with a last word, as real ones are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Line:
    def __init__(self) -> None:
        self.port = 0
        self.frozen = asyncio.Event()
        self.lines = 0
        self.tasks: list[asyncio.Task[None]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self._near: list[asyncio.StreamWriter] = []

    async def say_and_close(self, words: bytes) -> None:
        """As the server: a last line to everybody connected."""
        for writer in self._near:
            writer.write(words)
            writer.close()
        self._near.clear()

    async def between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server_port: int) -> None:
        self.lines += 1
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", server_port)
        self._near.append(writer)

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                if self.frozen.is_set():
                    await asyncio.Event().wait()
                target.write(data)

        self.writers.extend((writer, there_writer))
        self.tasks.extend(
            asyncio.ensure_future(one) for one in (copy(reader, there_writer), copy(there_reader, writer))
        )


@asynccontextmanager
async def line_to(server_port: int) -> AsyncIterator[Line]:
    line = Line()

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await line.between(reader, writer, server_port)

    server = await asyncio.start_server(between, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        for task in line.tasks:
            task.cancel()
        for writer in line.writers:
            writer.close()
        await asyncio.gather(*line.tasks, *(one.wait_closed() for one in line.writers), return_exceptions=True)
