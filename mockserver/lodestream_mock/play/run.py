"""A run as a session knows it: which story it plays since when, what its caller said, what was decided since."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from lodestream_mock.scenarios.story import nothing


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A stop that was asked for, `at` milliseconds after the run was created."""

    at: int
    by: str
    reason: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """`began` is the session's clock at creation (negative for runs that were there before), `created` the instant in
    milliseconds since 1970. Empty texts leave what the story says.

    `blocked` is how long the run waits for its dependencies; `dependency_failed` the moment one of them failed.
    `scheduled` is how long after its creation the time comes that its caller set; 0 when none was set or it has passed.
    `kept` phases are taken over from the run that this one retries.
    """

    run_id: str
    story: str
    began: int
    created: int
    project_id: str = ""
    name: str = ""
    description: str = ""
    type: str = ""
    priority: str = ""
    timeout: int | None = None
    blocked: int = 0
    scheduled: int = 0
    dependency_failed: int | None = None
    dependencies: tuple[str, ...] = ()
    kept: int = 0
    original_id: str = ""
    retry_number: int = 0
    batch_id: str = ""
    cancelled: Cancellation | None = None
    callbacks: Mapping[str, str] = field(default_factory=nothing)
    #: 1 for a submission of this session, 2 for the next ...; 0 for a run that was there from the start.
    number: int = 0

    @property
    def held(self) -> int:
        """How long it waits before it may queue."""
        return max(self.blocked, self.scheduled)
