"""How long to wait before the next attempt. Pure but for the random number, which is an argument."""

from lodestream_server.delivery.endpoints import RetryPolicy

#: Spread of a wait in both directions, so that what failed together does not come back together.
JITTER = 0.2


def wait_s(policy: RetryPolicy, attempts: int, chance: float, asked_s: float | None = None) -> float | None:
    """Seconds before the next attempt after so many; None when the delivery is to be given up.

    `chance` is from 0 to 1; `asked_s` is the receiver's Retry-After, honoured up to the policy's cap. The cap holds
    for the wait without its jitter.
    """
    if attempts > policy.max_retries:
        return None
    # Beyond 64 doublings every cap is reached, and a float is not.
    wait = min(policy.delay_s * policy.multiplier ** min(attempts - 1, 64), policy.max_delay_s)
    if asked_s is not None:
        wait = max(wait, min(asked_s, policy.max_delay_s))
    return wait * (1 - JITTER + 2 * JITTER * chance)
