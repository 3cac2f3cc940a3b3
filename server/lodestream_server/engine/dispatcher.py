"""Gives free seats to waiting runs. The queue is in memory and fed by commits, so nothing is polled; `queue.choose`
decides, on what is free of the machine, what tenants had of it lately, and which queues are paused."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lodestream.errors import LodestreamError
from lodestream_server.engine import estimates
from lodestream_server.engine.aftermath import Aftermath
from lodestream_server.engine.allocation import MachineSize
from lodestream_server.engine.assignments import Assignments
from lodestream_server.engine.attempt import Attempt
from lodestream_server.engine.attempts import Attempts
from lodestream_server.engine.breaking_off import BreakingOff
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.fairness import Shares
from lodestream_server.engine.ids import Ids
from lodestream_server.engine.line import Line
from lodestream_server.engine.models import EngineSettings
from lodestream_server.engine.queue import Capacity, Waiting, choose
from lodestream_server.executors.port import Executor, Seat
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import State
from lodestream_server.store.reading import Scope
from lodestream_server.store.store import Store

log = logging.getLogger(__name__)

#: What could not be begun for a fault of the server's own is looked at again after this.
_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class _Held:
    """A run between its choice and the release of its seat."""

    waiting: Waiting
    since: datetime


class Dispatcher:
    """The queue and the attempts of one engine."""

    def __init__(
        self,
        store: Store,
        executor: Executor,
        assignments: Assignments,
        clock: Clock,
        ids: Ids,
        settings: EngineSettings,
        machine: MachineSize,
        aftermath: Aftermath,
    ) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._machine = machine
        self._breaking_off = BreakingOff(store, clock, ids, aftermath, settings.node)
        self._held: dict[Seat, _Held] = {}
        self._attempts = Attempts(store, assignments, clock, ids, settings, aftermath)
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._shares = Shares()
        self._line = Line()
        #: Projects whose runs get no seat.
        self.paused: set[Scope] = set()

    def seen(self, run: RunState) -> None:
        """A run as it stands after a commit."""
        if run.state is not State.QUEUED:
            self._line.drop(run.run_id)
        elif not any(held.waiting.run_id == run.run_id and held.waiting.epoch == run.epoch for held in self._holding):
            try:
                self._line.put(as_waiting(run))
            except Exception as fault:
                self._break_off(run.run_id, run.epoch, fault)
            self._wake.set()

    def wake(self) -> None:
        """A seat became free, or something else that may let a run start."""
        self._wake.set()

    def start(self) -> None:
        """Begins to hand out seats."""
        self._loop = asyncio.create_task(self._dispatch(), name="dispatcher")
        self._wake.set()

    async def drain(self, grace_s: float) -> None:
        """Hands out no more, gives what is at work `grace_s` to end, then hands the rest back to the queue."""
        if self._loop is not None:
            self._loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop
            self._loop = None
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        self._attempts.stop_all("drain")
        if self._tasks:
            await asyncio.wait(self._tasks)

    def attempt(self, run_id: str) -> Attempt | None:
        """The run's attempt, while it is in a seat."""
        return self._attempts.of(run_id)

    def at_work(self) -> list[RunState]:
        """Runs in seats."""
        return self._attempts.runs()

    def in_order(self) -> list[Waiting]:
        """The queue in the order of its turns, paused ones where they would be."""
        return self._line.in_order(self._clock.now(), self._shares)

    def ahead(self, run_id: str) -> Sequence[Waiting] | None:
        """The queue up to and with the run; None when it does not wait there."""
        if self._line.get(run_id) is None:
            return None
        order = self.in_order()
        place = next(index for index, waiting in enumerate(order, start=1) if waiting.run_id == run_id)
        return order[:place]

    @property
    def line(self) -> Line:
        """The queue itself."""
        return self._line

    @property
    def seats(self) -> int:
        """How many runs can be at work at once."""
        return self._executor.seats

    @property
    def machine(self) -> MachineSize:
        """What runs may use together."""
        return self._machine

    @property
    def used_s(self) -> Mapping[str, float]:
        """What each tenant had of the machine lately."""
        return self._shares.used_s(self._clock.now())

    @property
    def free(self) -> Capacity:
        """What is not in use."""
        held = [one.waiting.resources for one in self._holding]
        cpu, memory = self._machine.cpu_units, self._machine.memory_bytes
        return Capacity(
            self._executor.seats - len(held),
            cpu - sum(one.cpu_units for one in held) if cpu else float("inf"),
            memory - sum(one.memory_bytes for one in held) if memory else float("inf"),
        )

    @property
    def _holding(self) -> list[_Held]:
        return [*self._held.values()]

    def _next(self) -> Waiting | None:
        now, free, used_s = self._clock.now(), self.free, self.used_s
        chosen = choose(self._ready(self._line.candidates(now, self._shares)), free, now, used_s)
        if chosen is None and self._line.deep:  # none of the first fits, or their queue is paused
            chosen = choose(self._ready(self._line.everybody().values()), free, now, used_s)
        return chosen

    def _ready(self, some: Iterable[Waiting]) -> Iterable[Waiting]:
        if not self.paused:
            return some
        return (one for one in some if Scope(one.tenant_id, one.project_id) not in self.paused)

    async def _dispatch(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while self._line and self._executor.free > 0 and self._next() is not None:
                    seat = await self._executor.take()
                    if not self._fill(seat):
                        await seat.release()
            except Exception:
                log.exception("a free seat could not be given to anybody; looking again")
                self._set_aside()
                await asyncio.sleep(_AGAIN_S)
                self._wake.set()

    def _set_aside(self) -> None:
        """Takes out of the queue what cannot even be compared with others."""
        for waiting in [*self._line.everybody().values()]:
            try:
                choose([waiting], Capacity(1), self._clock.now(), self.used_s)
            except Exception as fault:
                self._line.drop(waiting.run_id)
                self._break_off(waiting.run_id, waiting.epoch, fault)

    def _break_off(self, run_id: str, epoch: int, fault: Exception) -> None:
        self._keep(asyncio.create_task(self._breaking_off.end(run_id, epoch, fault), name=f"breaking off {run_id}"))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _fill(self, seat: Seat) -> bool:
        """Whether there is a run for the seat. Chosen again: while its worker was getting ready, something more urgent
        may have come."""
        try:
            chosen = self._next()
        except Exception:  # the seat goes back, and the next look finds out which run it is
            log.exception("no run could be chosen")
            chosen = None
        if chosen is None:
            return False
        self._line.drop(chosen.run_id)
        now = self._clock.now()
        self._held[seat] = _Held(chosen, now)
        self._shares.charge(chosen.tenant_id, chosen.cost_s, now)
        self._keep(asyncio.create_task(self._attend(chosen, seat), name=f"attempt {chosen.run_id}"))
        return True

    async def _attend(self, chosen: Waiting, seat: Seat) -> None:
        run_id, broke = chosen.run_id, None
        try:
            await self._attempts.make(run_id, seat)
        except Exception as fault:
            log.exception("the attempt at %s broke off", run_id)
            broke = fault
        finally:
            held, now = self._held.pop(seat), self._clock.now()
            took_s = (now - held.since) / timedelta(seconds=1)
            self._shares.charge(chosen.tenant_id, took_s - chosen.cost_s, now)
            await seat.release()
        if isinstance(broke, LodestreamError):  # of the store: nothing is known against the run
            await self._look_again(run_id)
        elif broke is not None:
            await self._breaking_off.end(run_id, chosen.epoch, broke)

    async def _look_again(self, run_id: str) -> None:
        # A fault of the store must not lose a run that still waits.
        while True:
            await asyncio.sleep(_AGAIN_S)
            with contextlib.suppress(Exception):
                self.seen(await self._store.run(run_id))
                return


def as_waiting(run: RunState) -> Waiting:
    """A queued run, as far as its turn is concerned."""
    return Waiting(
        run.run_id,
        run.tenant_id,
        run.priority,
        run.queued_at or run.created,
        run.resources,
        run.project_id,
        front=bool(run.extras.get("immediateExecution")),
        expected_s=estimates.middle_s(run.estimate),
        epoch=run.epoch,
    )
