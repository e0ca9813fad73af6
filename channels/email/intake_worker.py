"""The loop that turns kept mails into entries.

Mails are read in processes (`readers`); one that takes long to read lets the others pass after a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from types import TracebackType

import structlog

from channels.email.authentication import SenderChecks
from channels.email.intake import Understood, place, store_files
from channels.email.keeping import history_of
from channels.email.readers import Readers
from inbox.clock import Clock
from inbox.errors import StoreBusy
from inbox.events import AnyEvent, ArrivalKept
from inbox.mail_stops import UnsubscribeLinks
from inbox.store import arrivals
from inbox.store.arrivals import ArrivalRecord
from inbox.store.attachments import AttachmentFolder
from inbox.store.database import Database, longest_sleep

log = structlog.get_logger(__name__)

SOURCES = ("smtp", "lmtp", "imap:", "import:")
AT_ONCE = 32
LETS_OTHERS_PASS_SECONDS = 1.0
GIVES_UP_SECONDS = 600.0
"""Far beyond what `readers` allows one mail, so that only a queue of hostile ones comes near."""
AFTER_TROUBLE = timedelta(seconds=2)


@dataclass(slots=True)
class _Reading:
    """`parsed` comes first; `understood` waits for other people's name servers, too."""

    arrival: ArrivalRecord
    parsed: asyncio.Future[Understood]
    understood: asyncio.Future[Understood]


class IntakeWorker:
    """`async with` it for the parser threads; `run` until cancelled; `wake` is told after each commit."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        folder: AttachmentFolder,
        own_addresses: Collection[str],
        *,
        reopen_for: timedelta | None = None,
        checks: SenderChecks | None = None,
        readers: Readers | None = None,
        links: UnsubscribeLinks | None = None,
    ) -> None:
        self._db, self._clock, self._folder, self._own = db, clock, folder, own_addresses
        self._checks = checks
        self._links = links
        self._reopen_for = reopen_for
        self._woken = asyncio.Event()
        self._busy: set[int] = set()
        self._troubled = False
        self._late: set[asyncio.Task[None]] = set()
        self._begun_reading: set[asyncio.Task[Understood]] = set()
        self._readers = readers or Readers()
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="mail-files")

    async def __aenter__(self) -> IntakeWorker:
        await self._readers.__aenter__()
        if self._checks is not None:
            await self._checks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in (*self._late, *self._begun_reading):
            task.cancel()
        await self._readers.__aexit__(kind, error, trace)
        self._disk.shutdown(wait=False, cancel_futures=True)
        if self._checks is not None:
            await self._checks.__aexit__(kind, error, trace)

    def wake(self, happened: Sequence[AnyEvent]) -> None:
        if any(isinstance(one, ArrivalKept) and one.source.startswith(SOURCES) for one in happened):
            self._woken.set()

    async def run(self) -> None:
        longest = longest_sleep(self._db)
        while True:
            self._woken.clear()
            pause = longest
            self._troubled = False
            try:
                looked_at = await self.work_off()
                if self._troubled:
                    pause = AFTER_TROUBLE
                elif looked_at:
                    continue
            except (StoreBusy, OSError) as error:
                log.warning("mail waits for the store", error=str(error))
                pause = AFTER_TROUBLE
            except Exception:
                log.exception("mail intake failed")
                pause = AFTER_TROUBLE
            await self._clock.wait_until(self._clock.now() + pause, self._woken)

    async def work_off(self) -> int:
        """Place all that is waiting; how many arrivals were looked at."""
        looked_at = 0
        while waiting := await self._waiting():
            looked_at += len(waiting)
            await self._take_in(waiting)
            if self._troubled:
                break  # what failed is tried again, but not at once: a full disk may have room in a moment
        return looked_at

    async def _waiting(self) -> list[ArrivalRecord]:
        found: dict[int, ArrivalRecord] = {}
        room_bytes = arrivals.READ_AT_ONCE_BYTES
        for source in SOURCES:
            for one in await self._db.read(arrivals.waiting, source, AT_ONCE, most_bytes=room_bytes):
                found[one.id] = one
                room_bytes -= len(one.raw)
        return [found[number] for number in sorted(found) if number not in self._busy]

    async def _take_in(self, waiting: Sequence[ArrivalRecord]) -> None:
        """Arrivals are placed in their order; one that takes long to read is overtaken and placed when it is read."""
        loop = asyncio.get_running_loop()
        readings = [self._reading(one, self._begun(one)) for one in waiting]
        others_pass_at = loop.time() + LETS_OTHERS_PASS_SECONDS
        self._busy.update(one.arrival.id for one in readings)
        placing: list[asyncio.Task[None]] = []
        patience = LETS_OTHERS_PASS_SECONDS  # with the name servers of all these mails together
        try:
            for reading in readings:
                if not reading.parsed.done():
                    await asyncio.wait({reading.parsed}, timeout=max(0.0, others_pass_at - loop.time()))
                if reading.parsed.done() and not reading.understood.done():
                    began = loop.time()
                    await asyncio.wait({reading.understood}, timeout=max(0.0, patience))
                    patience -= loop.time() - began
                if not reading.understood.done():
                    late = loop.create_task(self._place_late(reading), name="late-mail")
                    self._late.add(late)
                    late.add_done_callback(self._late.discard)
                    continue
                task = loop.create_task(self._place(reading))
                placing.append(task)
                if self._db.several_processes:
                    await task
                else:
                    await asyncio.sleep(0)  # the write is queued now, and the next one behind it
            for outcome in await asyncio.gather(*placing, return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome
        except BaseException:
            self._busy.clear()
            raise

    def _reading(self, arrival: ArrivalRecord, parsed: asyncio.Future[Understood]) -> _Reading:
        if self._checks is None or history_of(arrival.envelope) is not None:  # old keys prove nothing today
            return _Reading(arrival, parsed, parsed)
        return _Reading(arrival, parsed, asyncio.ensure_future(self._checked(self._checks, arrival, parsed)))

    def _begun(self, arrival: ArrivalRecord) -> asyncio.Task[Understood]:
        task = asyncio.get_running_loop().create_task(self._understand(arrival), name="read-mail")
        self._begun_reading.add(task)
        task.add_done_callback(self._begun_reading.discard)
        return task

    async def _understand(self, arrival: ArrivalRecord) -> Understood:
        sender = arrival.envelope.get("sender")
        mail = await self._readers.read(
            arrival.raw, own_addresses=self._own, return_path=sender if isinstance(sender, str) else None
        )
        if arrival.envelope.get("truncated"):
            mail = replace(mail, notes=(*mail.notes, "truncated"))
        if not mail.attachments and "unreadable" not in mail.notes:
            return Understood(mail, ())
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk, store_files, self._folder, mail, arrival.raw)

    async def _checked(
        self, checks: SenderChecks, arrival: ArrivalRecord, parsed: asyncio.Future[Understood]
    ) -> Understood:
        understood = await parsed
        found = await checks(arrival.raw, arrival.source, arrival.envelope, understood.mail.author.address)
        return understood if found is None else replace(understood, authentication=found)

    async def _place_late(self, reading: _Reading) -> None:
        done, _ = await asyncio.wait({reading.understood}, timeout=GIVES_UP_SECONDS)
        if done:
            with suppress(StoreBusy):  # it is still new and comes up again
                await self._place(reading)
        else:
            await self._failed(reading.arrival, f"Reading it took longer than {GIVES_UP_SECONDS:.0f} seconds.")
            self._busy.discard(reading.arrival.id)
        self._woken.set()

    async def all_read(self) -> None:
        """Return when no mail is still being read that was overtaken by others."""
        while self._late:
            await asyncio.wait(set(self._late))

    async def _place(self, reading: _Reading) -> None:
        try:
            understood = reading.understood.result()
            await self._db.write(
                place,
                reading.arrival.id,
                understood,
                own_addresses=self._own,
                envelope_recipients=reading.arrival.envelope.get("recipients", ()),
                reopen_for=self._reopen_for,
                history=history_of(reading.arrival.envelope),
                wish=self._links.read_subject(understood.mail.subject) if self._links is not None else None,
                now=self._clock.now(),
            )
        except StoreBusy:
            raise
        except Exception as error:
            log.exception("mail could not be placed", arrival=reading.arrival.id)
            await self._failed(reading.arrival, f"{type(error).__name__}: {error}")
        finally:
            self._busy.discard(reading.arrival.id)

    async def _failed(self, arrival: ArrivalRecord, error: str) -> None:
        self._troubled = True
        await self._db.write(arrivals.failed, arrival.id, error, now=self._clock.now())
