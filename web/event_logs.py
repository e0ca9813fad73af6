"""`vuoro import-events` and `export-events`: a history in and out, with a bar, with words where a line is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sqlalchemy import Connection

from inbox.clock import SystemClock
from inbox.eventlog.exporting import export_events
from inbox.eventlog.importing import CannotImport, Imported, Log, import_events, read_log
from inbox.store.database import open_database
from inbox.waits import calendar
from inbox.waits.change_hours import set_hours
from inbox.waits.hours import ALWAYS
from web.config import DeskConfig

STEPS = {"replay": "Living through it", "write": "Writing"}


def run_import(config: DeskConfig, path: Path) -> None:
    """All of the log, or nothing. Ends the program with status 1 when it cannot be taken in."""
    console = Console(highlight=False)
    try:
        with _progress(console) as progress:
            log = _read(path, progress)
            for warning in log.warnings:
                progress.console.print(f"[yellow]{escape(warning)}[/yellow]")
            imported = asyncio.run(_import(config, log, progress))
    except CannotImport as error:
        errors = Console(stderr=True, highlight=False)
        errors.print(f"[bold]{escape(str(path))} was not imported; the desk is as it was:[/bold]")
        for problem in error.problems:
            errors.print(f"  • {escape(problem)}", soft_wrap=True)
        raise typer.Exit(1) from None
    until = imported.until.isoformat() if imported.until is not None else ""
    console.print(
        f"[green]{imported.lines:,} lines are in the desk:[/green] {imported.conversations:,} conversations, "
        f"{imported.waits:,} waits, up to {until}."
    )


def run_export(config: DeskConfig, path: Path) -> None:
    """The desk's history into a file that does not exist yet."""
    try:
        file = path.open("x", encoding="utf-8")
    except OSError as error:
        Console(stderr=True).print(f"{escape(str(path))} cannot be made: {error.strerror}.")
        raise typer.Exit(1) from None
    with file:
        number = asyncio.run(_export(config, file))
    Console(highlight=False).print(f"[green]{number:,} lines are in {escape(str(path))}.[/green]")


async def _export(config: DeskConfig, file: TextIO) -> int:
    def written(conn: Connection) -> int:
        return sum(file.write(json.dumps(line, ensure_ascii=False) + "\n") > 0 for line in export_events(conn))

    db = open_database(config.store.url, now=SystemClock().now, durable={})
    try:
        return await db.read(written)
    finally:
        await db.close()


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _read(path: Path, progress: Progress) -> Log:
    """The bar counts bytes: how many lines there are is known when all are read."""
    task = progress.add_task("Reading", total=path.stat().st_size)

    def lines() -> Iterator[bytes]:
        with path.open("rb") as file:
            for number, line in enumerate(file):
                yield line.removeprefix(b"\xef\xbb\xbf") if number == 0 else line
                progress.advance(task, len(line))

    return read_log(lines())


async def _import(config: DeskConfig, log: Log, progress: Progress) -> Imported:
    from migrations.run import upgrade

    await asyncio.to_thread(upgrade, config.store.url)
    tasks = {step: progress.add_task(said, total=None) for step, said in STEPS.items()}

    def told(step: str, done: int, whole: int) -> None:
        progress.update(tasks[step], completed=done, total=whole)

    db = open_database(config.store.url, now=SystemClock().now, durable={})
    try:
        if not await db.read(calendar.exists):
            await db.write(set_hours, config.desk.zone, ALWAYS, by=None, now=log.lines[0].at)
        return await db.write(import_events, log, told)
    finally:
        await db.close()
