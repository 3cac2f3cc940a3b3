"""What becomes of a run that a fault of the server's own took out of its turn or its seat: it ends as if a phase had
failed, or waits for another attempt where its policy says so. Called by the dispatcher, for which one such run must not
be the end of all others."""

import asyncio
import logging
import traceback
from collections.abc import Sequence

from lodestream.errors import LodestreamError
from lodestream_server.engine.aftermath import Aftermath
from lodestream_server.engine.clock import Clock
from lodestream_server.engine.ids import Ids
from lodestream_server.executors.port import Broke
from lodestream_server.runs.bodies import Body, Cancelled, Failed, Receipt, Started
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import AT_WORK, State
from lodestream_server.store.appending import Fact, Guard, RaceLost
from lodestream_server.store.store import Store

log = logging.getLogger(__name__)

#: While the store cannot write, it is asked again after this.
_AGAIN_S = 1.0


class BreakingOff:
    """Ends runs that nobody can go on with."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, aftermath: Aftermath, node: str) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._aftermath = aftermath
        self._node = node

    async def end(self, run_id: str, epoch: int, fault: Exception) -> None:
        """Takes the run out of the queue, where it had this epoch, or from the work that began there; durably. Leaves
        one alone that has moved on."""
        while True:
            try:
                run = await self._store.run(run_id)
                if (run.state, run.epoch) not in {(State.QUEUED, epoch), *((state, epoch + 1) for state in AT_WORK)}:
                    return
                now = self._clock.now()
                facts = [Fact(body, now) for body in await self._bodies(run, fault)]
                await self._store.append(run_id, facts, Guard(frozenset({run.state}), run.epoch))
                return
            except RaceLost:  # cancelled, or out of time, meanwhile
                continue
            except LodestreamError as unwritten:
                log.error("%s could not be ended: %s Trying again.", run_id, unwritten)
                await asyncio.sleep(_AGAIN_S)

    async def _bodies(self, run: RunState, fault: Exception) -> Sequence[Body]:
        # From the queue no run fails: it did begin, and that is as far as it came.
        begun = [Started(run.attempts_spent + 1, self._node, 0, self._ids.new(self._clock.now(), "exec-"))]
        begun = begun if run.state is State.QUEUED else []
        phase = run.current.name if run.current else ""
        told = "".join(traceback.format_exception(fault))
        try:
            broke = Broke("INTERNAL", "", phase, {"fault": type(fault).__name__}, told)
            return [*begun, *await self._aftermath.of(run, broke, None)]
        except Exception:  # the fault lies there: the run ends all the same
            log.exception("what follows for %s could not be told", run.run_id)
            if run.state is State.CANCELLING:
                return [Cancelled(Receipt("SIGKILL", released=run.resources))]
            return [*begun, Failed("INTERNAL", "An unexpected fault; the server's log tells more.", phase or None)]
