"""How much one key, and one tenant with all its keys, may ask of the server: calls over time, and streams at once.

The guard asks before every call; what is refused has cost no more than finding out whose key it is. Counts live in
memory and begin anew with the server. What is stored (runs that wait, bytes of datasets) is counted
where it is written, see `store.quotas`.
"""

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from lodestream.errors import QuotaExceeded
from lodestream_server.store.keys import ApiKey
from lodestream_server.store.reading import Scope

#: When a stream may have ended: nobody can know, and asking is cheap.
_STREAM_S: Final = 5.0
#: Parties remembered; beyond it those are forgotten who have been quiet for long enough.
_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one party may do; 0: as much as it likes."""

    calls_per_second: int = 0
    calls_per_minute: int = 0
    streams: int = 0


class Rate:
    """So many calls per span of time, which may also come all at once (GCRA: one number per party)."""

    def __init__(self, calls: int, span_s: float) -> None:
        self._step_s = span_s / calls
        # A billionth more than the span: what sums to it in theory must fit into it in floating point.
        self._room_s = span_s * (1 + 1e-9)
        self._spent_until: dict[Hashable, float] = {}

    def wait_s(self, who: Hashable, now: float) -> float:
        """How long until one more call is in order; 0 when it is."""
        return max(0.0, max(self._spent_until.get(who, now), now) + self._step_s - self._room_s - now)

    def take(self, who: Hashable, now: float) -> None:
        """Counts a call."""
        if len(self._spent_until) >= _REMEMBERED and who not in self._spent_until:
            self._spent_until = {one: until for one, until in self._spent_until.items() if until > now}
        self._spent_until[who] = max(self._spent_until.get(who, now), now) + self._step_s


class Party:
    """Keys, or tenants: the same allowance for each of them."""

    def __init__(self, noun: str, allowance: Allowance) -> None:
        self._noun = noun
        spans = ((allowance.calls_per_second, 1.0, "second"), (allowance.calls_per_minute, 60.0, "minute"))
        self._rates = [(Rate(calls, span), calls, word) for calls, span, word in spans if calls]
        self._streams = allowance.streams
        self._open: Counter[Hashable] = Counter()

    def call(self, who: Hashable, now: float) -> None:
        """Counts a call. Raises QuotaExceeded."""
        for rate, calls, word in self._rates:
            if wait := rate.wait_s(who, now):
                raise QuotaExceeded(f"This {self._noun} may make {calls} calls per {word}.", retry_after_s=wait)
        for rate, *_ in self._rates:
            rate.take(who, now)

    def begin(self, who: Hashable) -> None:
        """Counts a stream. Raises QuotaExceeded."""
        if self._streams and self._open[who] >= self._streams:
            told = f"This {self._noun} may hold {self._streams} streams open at once; end one of them first."
            raise QuotaExceeded(told, retry_after_s=_STREAM_S)
        self._open[who] += 1

    def end(self, who: Hashable) -> None:
        """The stream is over."""
        self._open[who] -= 1
        if not self._open[who]:
            del self._open[who]


class Limits:
    """The limits of one server, for all its doors."""

    def __init__(
        self,
        key: Allowance = Allowance(),
        tenant: Allowance = Allowance(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = Party("API key", key)
        self._tenants = Party("tenant", tenant)
        self._clock = clock

    def call_of_key(self, key: ApiKey) -> None:
        """A call came with this key. Raises QuotaExceeded."""
        self._keys.call(_who(key), self._clock())

    def call_of_tenant(self, key: ApiKey, scope: Scope) -> None:
        """It is for this project, which the key is good for. Raises QuotaExceeded."""
        if tenant := _tenant(key, scope):
            self._tenants.call(tenant, self._clock())

    @contextmanager
    def stream(self, key: ApiKey, scope: Scope) -> Iterator[None]:
        """A stream from its beginning to its end, however that comes. Raises QuotaExceeded."""
        who, tenant = _who(key), _tenant(key, scope)
        self._keys.begin(who)
        try:
            self._tenants.begin(tenant)
            try:
                yield
            finally:
                self._tenants.end(tenant)
        finally:
            self._keys.end(who)


def _who(key: ApiKey) -> Hashable:
    # Tickets and web tokens share ids over tenants.
    return key.key_id, key.tenant_id, key.project_id


def _tenant(key: ApiKey, scope: Scope) -> str:
    return scope.tenant_id or key.tenant_id or ""
