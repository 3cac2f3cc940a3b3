"""Whether and when a run that failed is tried again by itself. Pure; chance is an argument."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: A number in [0, 1), evenly spread.
Dice = Callable[[], float]
#: Faults that another attempt may not meet: of the machine, or unexpected. All others are the input's.
HEALABLE = frozenset(
    {
        "INTERNAL",
        "OUT_OF_MEMORY",
        "DISK_FULL",
        "WORKER_HUNG",
        "WORKER_KILLED",
        "WORKER_CRASHED",
        "WORKER_VANISHED",
        "WORKER_STOPPED",
    }
)
#: Documented nowhere: a policy that says only how often waits as long as the pages' example does.
_DELAY_S = 300.0
#: Attempts that failed together must not come back together.
_JITTER = 0.2


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Further attempts after the first: how many, and how long before each."""

    max_retries: int = 0
    delay_s: float = _DELAY_S
    multiplier: float = 1.0
    max_delay_s: float | None = None


def policy_of(extras: Mapping[str, Any]) -> RetryPolicy:
    """The policy as submitted (`retryPolicy`, delays in seconds); without one there are no further attempts."""
    given = extras.get("retryPolicy") or {}
    cap = given.get("maxDelay")
    return RetryPolicy(
        max_retries=int(given.get("maxRetries") or 0),
        delay_s=float(given.get("retryDelay", _DELAY_S)),
        multiplier=float(given.get("backoffMultiplier") or 1.0),
        max_delay_s=None if cap is None else float(cap),
    )


def retry_after_s(policy: RetryPolicy, reason: str, attempts_spent: int, dice: Dice) -> float | None:
    """How long to wait after the attempt that failed now; None when there is to be no other.

    `attempts_spent` are the ones that failed before it.
    """
    if reason not in HEALABLE or attempts_spent >= policy.max_retries:
        return None
    wait_s = policy.delay_s * policy.multiplier**attempts_spent
    if policy.max_delay_s is not None:
        wait_s = min(wait_s, policy.max_delay_s)
    return wait_s * (1 + _JITTER * (2 * dice() - 1))
