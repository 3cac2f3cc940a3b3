"""One session: its scenario, clock and runs, and what its callers created.

Everything that an answer depends on is here, and nothing else is: two sessions with the same settings that get the same
calls give the same answers. Runs are frozen; what is decided about one replaces it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

from lodestream.v1.common_pb2 import RunState
from lodestream.wire import Language
from lodestream_mock import scenarios
from lodestream_mock.play.moment import moment, stops
from lodestream_mock.play.played import Played, play
from lodestream_mock.play.run import Cancellation, Run
from lodestream_mock.scenarios.story import Scenario, Story
from lodestream_mock.session.batches import Batch
from lodestream_mock.session.clock import Clock
from lodestream_mock.session.dependencies import settle_dependants
from lodestream_mock.session.faults import Faults
from lodestream_mock.session.ids import made_id
from lodestream_mock.session.journal import Journal
from lodestream_mock.session.settings import SessionSettings
from lodestream_mock.session.watchers import Watchers


class Session:
    """Called from one event loop only. Raises UnknownScenario, WrongScenario and UnknownClock for wrong settings."""

    def __init__(self, key: str, settings: SessionSettings) -> None:
        self.key = key
        #: As the last caller that names one wrote it; addresses in deliveries hold it.
        self.tenant = key
        self.settings = settings
        self.scenario = scenarios.load(settings.scenario)
        self.clock = Clock(settings.clock or self.scenario.clock)
        self.counters: dict[str, int] = {}
        self.runs: dict[str, Run] = {}
        self.batches: dict[str, Batch] = {}
        #: Kind of thing ("webhook", "dataset" ...) -> id -> what the session keeps of it, oldest first.
        self.things: dict[str, dict[str, Any]] = {}
        #: request_id -> (method, serialized request, answer).
        self.requests: dict[str, tuple[str, bytes, Any]] = {}
        self.queue_paused = False
        #: Posts what endpoints are told; set by the server, absent in a dry run.
        self.courier: Any = None
        self.watchers = Watchers()
        self.faults = Faults()
        self.journal = Journal()
        self.faults = Faults()
        self.journal = Journal()
        #: Rises with every change of a run.
        self.version = 0
        self._resting = False
        self.clock.on_move = self._on_move
        self._played: dict[tuple[str, str], Played] = {}
        self._begin()

    def _begin(self) -> None:
        for there in self.scenario.runs:
            story = self.scenario.stories[there.story]
            created = self.scenario.now - there.age if there.name else story.created
            self.runs[there.run_id] = Run(there.run_id, there.story, -there.age, created, name=there.name)
        if self.scenario.pinned:
            for batch_story in self.scenario.batches:
                if batch_story.batch_id:
                    batch = Batch.of_story(batch_story, self)
                    self.batches[batch.batch_id] = batch

    # --- time ---

    @property
    def now_ms(self) -> int:
        """Milliseconds since the session began."""
        return self.clock.now_ms()

    @property
    def epoch_ms(self) -> int:
        """The server's instant, milliseconds since 1970."""
        return self.scenario.now + self.now_ms

    def age(self, run: Run) -> int:
        """Milliseconds since a run was created."""
        return self.now_ms - run.began

    @property
    def pinned(self) -> bool:
        """True while documented ids answer the documented payloads, whatever was called."""
        return self.scenario.pinned and self.now_ms == 0

    def _on_move(self) -> None:
        self.watchers.jumped()
        if self.courier:
            self.courier.wake()

    async def settled(self) -> None:
        """Returns when everything that is due has been told to every stream and posted to every endpoint."""
        await self.watchers.settled()
        if self.courier:
            await self.courier.settled()

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Looking without moving the step clock."""
        self._resting = True
        try:
            yield
        finally:
            self._resting = False

    def step(self, *runs: Run) -> None:
        """After a status request: on a stepping clock, time goes to the next keyframe of these runs."""
        if self.clock.mode != "step" or self._resting:
            return
        ahead = [run.began + stop for run in runs for stop in stops(self.played(run)) if stop > self.age(run)]
        if ahead:
            self.clock.move_to(min(ahead))

    # --- runs ---

    def scenario_in(self, language: Language) -> Scenario:
        """The scenario in a language."""
        return scenarios.load(self.settings.scenario, language)

    def story(self, run: Run, language: Language = "en") -> Story:
        """What a run plays."""
        return self.scenario_in(language).stories[run.story]

    def played(self, run: Run, language: Language = "en") -> Played:
        """The run's whole life in a language."""
        found = self._played.get((run.run_id, language))
        if found is None or found.run is not run:
            found = self._played[run.run_id, language] = play(self.story(run, language), run)
        return found

    def keep(self, run: Run) -> Run:
        """Adds a run, or replaces the one of the same id, newest last."""
        self.runs.pop(run.run_id, None)
        return self.change(run)

    def change(self, run: Run) -> Run:
        """Replaces the run of the same id where it stands."""
        self.runs[run.run_id] = run
        self.version += 1
        if self.courier:
            self.courier.wake()
        return run

    def cancel(self, run: Run, by: str, reason: str, force: bool) -> Run:
        """Decides that a run is stopped now; its place among the others stays. What waited for it follows."""
        self.change(replace(run, cancelled=Cancellation(self.age(run), by, reason, force)))
        if run.batch_id:
            self.batches[run.batch_id].settle(self)
        settle_dependants(self, run)
        return self.runs[run.run_id]

    def count(self, kind: str) -> int:
        """The number of the next thing of a kind, from 1."""
        self.counters[kind] = self.counters.get(kind, 0) + 1
        return self.counters[kind]

    def new_id(self, kind: str) -> tuple[str, int]:
        """The id of the next thing of a kind, and its number."""
        number = self.count(kind)
        return made_id(kind, self.settings.seed, number), number

    def of_kind(self, kind: str) -> list[Run]:
        """Jobs or operations, newest first."""
        return [run for run in reversed(self.runs.values()) if self.scenario.stories[run.story].kind == kind]

    def waiting(self) -> list[Run]:
        """Jobs in the queue, next first: by priority, then by age."""
        order = {"Critical": 0, "High": 1, "Normal": 2, "Low": 3}
        queued = [run for run in self.runs.values() if self._waits(run)]
        return sorted(queued, key=lambda run: (order.get(self.played(run).story.priority, 2), run.began))

    def _waits(self, run: Run) -> bool:
        if self.scenario.stories[run.story].kind != "job":
            return False
        return moment(self.played(run), self.age(run)).state == RunState.RUN_STATE_QUEUED

    def places(self) -> dict[str, int]:
        """The place of every waiting job in the queue by its id, 1 is next."""
        return {run.run_id: place for place, run in enumerate(self.waiting(), 1)}

    def position(self, run: Run) -> int:
        """The place in the queue, 1 is next; 0 when it does not wait."""
        return self.places().get(run.run_id, 0)

    def shelf(self, kind: str) -> dict[str, Any]:
        """What the session keeps of a kind: id -> thing, oldest first."""
        return self.things.setdefault(kind, {})

    def fork(self) -> "Session":
        """The same session for a dry run: what happens to it does not happen here."""
        twin = Session(self.key, self.settings)
        twin.clock = Clock("frozen")
        twin.clock.move_to(self.now_ms)
        twin.clock.mode = self.clock.mode
        twin.counters, twin.runs = dict(self.counters), dict(self.runs)
        twin.batches = {key: replace(batch) for key, batch in self.batches.items()}
        twin.things = deepcopy(self.things)
        twin.requests, twin.queue_paused = dict(self.requests), self.queue_paused
        return twin
