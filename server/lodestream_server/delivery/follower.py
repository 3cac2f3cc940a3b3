"""Where one webhook stands with every run of its project that is under way. Forgets ended runs at once and the longest
unheard when there are many; what is forgotten is found again from the log."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from lodestream.errors import RunNotFound
from lodestream_server.delivery.endpoints import Endpoint
from lodestream_server.delivery.history import see, told_up_to
from lodestream_server.delivery.tellings import Telling, Told
from lodestream_server.runs.bodies import Submitted
from lodestream_server.runs.events import Event
from lodestream_server.runs.shapes.words import operation_word
from lodestream_server.runs.state import RunState
from lodestream_server.runs.states import RunKind
from lodestream_server.store.store import Store

#: Runs remembered, some kilobytes each; runs of other projects are a pointer.
_REMEMBERED: Final = 2048
_NOTHING: Final = Told()
#: Not one of ours; told apart by identity.
_FOREIGN: Final = Told(percent=-1.0)


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of ours: the run right after it, and what it gives to tell."""

    run: RunState
    telling: Telling | None


class Follower:
    """Fed with every event of the store, in order."""

    def __init__(self, store: Store, endpoint: Endpoint) -> None:
        self._store = store
        self._endpoint = endpoint
        self._wishes = endpoint.registration.wishes
        self._told: OrderedDict[str, Told] = OrderedDict()

    async def see(self, event: Event) -> Seen | None:
        """What the event means to the webhook; None for runs that are none of its business."""
        told = self._told.get(event.run_id)
        if told is None:
            told = await self._begin(event)
        telling = None
        if told is not _FOREIGN:
            try:
                told, telling = await see(self._store, self._wishes, told, event)
            except RunNotFound:  # removed, with its story
                told = _FOREIGN
        self._keep(event, told)
        return Seen(told.run, telling) if told.run is not None else None

    async def _begin(self, event: Event) -> Told:
        if isinstance(event.body, Submitted):
            return _NOTHING if self._concerns(event.body) else _FOREIGN
        try:
            if not self._concerns(await self._store.run(event.run_id)):
                return _FOREIGN
        except RunNotFound:
            return _FOREIGN
        return await told_up_to(self._store, self._wishes, event.run_id, event.sequence - 1)

    def _concerns(self, run: Submitted | RunState) -> bool:
        endpoint, types = self._endpoint, self._wishes.types
        ours = (run.tenant_id, run.project_id) == (endpoint.tenant_id, endpoint.project_id)
        return ours and run.kind is RunKind.OPERATION and (not types or operation_word(run.type) in types)

    def _keep(self, event: Event, told: Told) -> None:
        if event.ends_run:
            self._told.pop(event.run_id, None)
            return
        self._told[event.run_id] = told
        self._told.move_to_end(event.run_id)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
