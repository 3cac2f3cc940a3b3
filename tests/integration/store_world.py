"""What tests of the store share: a run to write, and shorthand for facts."""

from datetime import UTC, datetime, timedelta
from typing import Any

from lodestream_server.runs.bodies import Body, PhasePlan, Queued, Submitted
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind
from lodestream_server.store.appending import Fact, begin
from lodestream_server.store.reading import Scope
from lodestream_server.store.store import Store

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SCOPE = Scope("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")


def facts(*bodies: Body, at_s: float = 0) -> list[Fact]:
    """These bodies, all at the same instant."""
    return [Fact(body, NOON + timedelta(seconds=at_s)) for body in bodies]


def submitted(**changes: Any) -> Submitted:
    """A job of one phase in the project of the tests."""
    given: dict[str, Any] = {
        "tenant_id": SCOPE.tenant_id,
        "project_id": SCOPE.project_id,
        "kind": RunKind.JOB,
        "type": "Test",
        "name": "A test",
        "phases": (PhasePlan("Only"),),
    }
    return Submitted(**{**given, **changes})


async def new_run(store: Store, run_id: str, at_s: float = 0, **changes: Any) -> RunState:
    """A queued run."""
    return await store.write(lambda tx: begin(tx, run_id, facts(submitted(**changes), Queued(), at_s=at_s)))


class Announcements:
    """What the loop hears of a store's commits: held back, as when the writer's thread is kept from going on."""

    def __init__(self, store: Store) -> None:
        self._writer: Any = store._writer
        self._tell = self._writer._tell
        self._held: list[tuple[Any, ...]] = []

    def hold(self) -> None:
        """Commits are durable from now on, and nobody hears of them."""
        self._writer._tell = lambda *told: self._held.append(told)

    @property
    def holds(self) -> bool:
        """Whether anything is held back."""
        return bool(self._held)

    def release(self) -> None:
        """All that was held back, in order. Not while something is being written."""
        self._writer._tell = self._tell
        for told in self._held:
            self._tell(*told)
        self._held.clear()
