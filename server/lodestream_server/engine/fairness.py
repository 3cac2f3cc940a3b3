"""What each tenant had of the machine lately, so that seats go round. In memory: after a restart everybody begins
alike.

A start is charged at once with what the run should take, else two seats that become free together would both go to
the same tenant; when the run ends, the charge is put right.
"""

from datetime import datetime, timedelta

#: After so long, use counts half.
HALF_LIFE_S = 600.0
#: Less than that is nothing.
_FORGOTTEN_S = 0.001


class Shares:
    """Seat-seconds by tenant, fading."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[float, datetime]] = {}

    def charge(self, tenant_id: str, seconds: float, now: datetime) -> None:
        """Adds to a tenant's account; a negative amount puts right what was too much."""
        self._used[tenant_id] = max(0.0, self._left(tenant_id, now) + seconds), now

    def used_s(self, now: datetime) -> dict[str, float]:
        """What each tenant has on its account; absent means nothing."""
        left = {tenant_id: self._left(tenant_id, now) for tenant_id in self._used}
        self._used = {tenant_id: self._used[tenant_id] for tenant_id, used in left.items() if used >= _FORGOTTEN_S}
        return {tenant_id: used for tenant_id, used in left.items() if used >= _FORGOTTEN_S}

    def _left(self, tenant_id: str, now: datetime) -> float:
        if tenant_id not in self._used:
            return 0.0
        used, when = self._used[tenant_id]
        elapsed = max(0.0, (now - when) / timedelta(seconds=1))
        return float(used * 0.5 ** (elapsed / HALF_LIFE_S))
