"""Batches of a session: when each operation may begin, and what a failure means for the others."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lodestream_mock.play.played import End
from lodestream_mock.play.run import Run
from lodestream_mock.scenarios.story import BatchStory, Kind

if TYPE_CHECKING:
    from lodestream_mock.session.session import Session


@dataclass(frozen=True, slots=True)
class Batch:
    """`keys` maps operation keys to run ids, in the order given. `stop_on_failure` ends everything at the first
    failure; otherwise only what depends on the failed one ends with it."""

    batch_id: str
    name: str
    description: str
    began: int
    created: int
    keys: dict[str, str]
    stop_on_failure: bool = False
    project_id: str = ""
    cancelled: int | None = None
    reason: str = ""

    @staticmethod
    def of_story(story: BatchStory, session: "Session") -> "Batch":
        """A batch that is there from the start, with its operations."""
        first = session.scenario.stories[story.steps[0].story]
        batch = Batch(
            batch_id=story.batch_id,
            name=story.name,
            description=story.description,
            began=-story.age,
            created=first.created,
            keys={step.key: step.run_id for step in story.steps},
        )
        by_key = {step.key: step.run_id for step in story.steps}
        for step in story.steps:
            depends = tuple(by_key[key] for key in step.after)
            session.keep(
                Run(step.run_id, step.story, -story.age, first.created, dependencies=depends, batch_id=batch.batch_id)
            )
        batch.settle(session)
        return batch

    def settle(self, session: "Session") -> None:
        """Works out again when each operation may begin, from the ends of those that it waits for."""
        failed_at: int | None = None
        for run_id in self._ordered(session):
            run = session.runs[run_id]
            ends = [session.played(session.runs[other]).end for other in run.dependencies]
            ready = max((end.at for end in ends), default=0)
            bad = [end.at for end in ends if end.kind is not Kind.COMPLETED]
            if self.stop_on_failure and failed_at is not None:
                bad.append(failed_at)
            session.change(replace(run, blocked=ready, dependency_failed=max(bad) if bad else None))
            end = self._end(session, run_id)
            if end.kind is not Kind.COMPLETED:
                failed_at = end.at if failed_at is None else min(failed_at, end.at)

    def _end(self, session: "Session", run_id: str) -> End:
        return session.played(session.runs[run_id]).end

    def _ordered(self, session: "Session") -> list[str]:
        """Ids with those first that others wait for."""
        out: list[str] = []
        while len(out) < len(self.keys):
            ready = [
                run_id
                for run_id in self.keys.values()
                if run_id not in out and all(other in out for other in session.runs[run_id].dependencies)
            ]
            if not ready:
                raise ValueError("the operations of a batch wait for each other")
            out += ready
        return out
