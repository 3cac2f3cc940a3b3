"""How long and how much is kept: what settings say and `retention` does."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Keep:
    """How long and how much of a tenant is kept; None: for ever, and all of it. Days since the run ended or the dataset
    was created; bytes of all of the tenant's, the oldest going first."""

    events_days: float | None = None
    events_bytes: int | None = None
    artifacts_days: float | None = None
    artifacts_bytes: int | None = None
    datasets_days: float | None = None
    datasets_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """What is kept: by default, and of the tenants who have a rule of their own. Attempts are those of deliveries,
    requests the ids that callers gave to their submissions."""

    default: Keep = field(default_factory=Keep)
    tenants: Mapping[str, Keep] = field(default_factory=dict)
    attempts_days: float | None = None
    requests_days: float | None = None
    every_s: float = 3600.0

    @property
    def asks_for_nothing(self) -> bool:
        """Whether everything is kept."""
        whole_store = (self.attempts_days, self.requests_days)
        return whole_store == (None, None) and {self.default, *self.tenants.values()} == {Keep()}
