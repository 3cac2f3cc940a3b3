"""One attempt: a run in a seat, from Started to whatever ends it. The only writer of a run that is at work, but for
cancel requests.

What the worker says is durable before the next word is read, so a slow disk slows the worker and nothing piles up
in memory.
"""

import asyncio
import logging
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from lodestream.errors import DiskFull, StoreUnavailable
from lodestream_server.engine.aftermath import Aftermath, Cause
from lodestream_server.engine.allocation import heartbeat_s
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.models import EngineSettings
from lodestream_server.engine.stopping import Ladder
from lodestream_server.executors.port import Assignment, Broke, Died, Outcome, Seat, Told
from lodestream_server.runs.bodies import (
    ArtifactStored,
    Body,
    ErrorNoted,
    Logged,
    MetricsChanged,
    Milestone,
    PhaseCompleted,
    PhaseStarted,
    Progressed,
    Sampled,
    Started,
    Warned,
)
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import AT_WORK, State
from lodestream_server.store.appending import Fact, Guard, RaceLost
from lodestream_server.store.store import Store

log = logging.getLogger(__name__)

#: Everything else about a run is for the engine to say.
_WORKER_MAY_SAY = (
    PhaseStarted,
    Progressed,
    MetricsChanged,
    Logged,
    Warned,
    Milestone,
    ErrorNoted,
    ArtifactStored,
    PhaseCompleted,
    Sampled,
)
#: Resident memory over the limit that is borne: the interpreter and the libraries are not the run's own.
_BASE_BYTES = 400 * 10**6
#: While the store cannot write, it is asked again after this.
_AGAIN_S = 1.0


class Attempt:
    """Supervises one run in one seat; `supervise` is its task."""

    def __init__(
        self,
        run: RunState,
        seat: Seat,
        store: Store,
        clock: Clock,
        settings: EngineSettings,
        execution_id: str,
        aftermath: Aftermath,
    ) -> None:
        self.run = run
        self._aftermath = aftermath
        self._seat = seat
        self._store = store
        self._clock = clock
        self._settings = settings
        self._execution_id = execution_id
        self._ladder = Ladder(seat, clock, settings.grace_s)
        self._cause: Cause | None = None

    def stop(self, cause: Cause, *, force: bool = False) -> None:
        """Begins to stop the work; the first cause counts, except that a cancellation outweighs the others."""
        if self._cause is None or cause == "cancel":
            self._cause = cause
        self._ladder.climb(force=force)

    async def supervise(self, assignment: Assignment) -> None:
        """Start, listen, conclude. A run that was taken away meanwhile is left alone."""
        try:
            if await self._start():
                await self._conclude(await self._outcome(assignment))
        except RaceLost as lost:
            log.warning("%s was taken from its worker: %s", self.run.run_id, lost)
        finally:
            self._ladder.drop()

    async def _start(self) -> bool:
        started = Started(
            attempt=self.run.attempts_spent + 1,
            node=self._seat.node,
            pid=self._seat.pid,
            execution_id=self._execution_id,
            resources=self.run.resources,
        )
        try:
            self.run = await self._append([started], Guard(frozenset({State.QUEUED}), self.run.epoch))
        except RaceLost:  # cancelled or timed out while the seat was being taken
            return False
        return True

    async def _outcome(self, assignment: Assignment) -> Outcome:
        try:
            await self._seat.begin(replace(assignment, lease_s=heartbeat_s(self.run.parameters)))
            self._ladder.begun()
            return await self._listen()
        except RaceLost:
            raise
        except Exception as fault:  # an order that cannot be sent, a word that the fold refuses: it must not go on
            self._seat.signal("SIGKILL")
            phase = self.run.current.name if self.run.current else ""
            return Broke("INTERNAL", "", phase, {"fault": type(fault).__name__}, traceback.format_exc())

    async def _listen(self) -> Outcome:
        async for word in self._seat.words():
            if not isinstance(word, Told):
                return word
            if not all(isinstance(body, _WORKER_MAY_SAY) for body, _ in word.facts):
                self._seat.signal("SIGKILL")
                return Died("WORKER_CRASHED", "The worker said what is not a worker's to say.")
            now = self._clock.now()
            facts = [Fact(body, now - timedelta(seconds=age_s)) for body, age_s in word.facts]
            self.run = await self._persist(facts, self._mine())
            self._watch_memory(word)
        raise AssertionError("a seat's words end with an outcome")

    def _watch_memory(self, word: Told) -> None:
        limit = self.run.resources.memory_bytes
        used = max((body.rss_bytes for body, _ in word.facts if isinstance(body, Sampled)), default=0)
        if limit and used > limit + _BASE_BYTES and self._cause is None:
            self.stop("memory", force=True)

    async def _conclude(self, outcome: Outcome) -> None:
        while True:
            try:
                bodies = await self._aftermath.of(self.run, outcome, self._cause)
                await self._append(bodies, Guard(frozenset({self.run.state}), self.run.epoch))
                return
            except RaceLost as lost:  # a cancel request came first
                if not lost.run.at_work or lost.run.epoch != self.run.epoch:
                    raise
                self.run = lost.run

    async def _append(self, bodies: Sequence[Body], guard: Guard) -> RunState:
        now = self._clock.now()
        return await self._persist([Fact(body, now) for body in bodies], guard)

    async def _persist(self, facts: Sequence[Fact], guard: Guard) -> RunState:
        while True:
            try:
                return await self._store.append(self.run.run_id, facts, guard)
            except (DiskFull, StoreUnavailable) as fault:
                # The worker waits meanwhile. What it did is not lost: its checkpoints are on the disk already.
                log.error("%s: %s Trying again.", self.run.run_id, fault)
                await asyncio.sleep(_AGAIN_S)

    def _mine(self) -> Guard:
        return Guard(AT_WORK, self.run.epoch)
