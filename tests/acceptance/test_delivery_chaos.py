"""Ten thousand events, a receiver that fails three times in ten, twenty kills of the sender: none is lost."""

import random

import pytest

from tests.integration.delivery_chaos import survive


@pytest.mark.chaos
@pytest.mark.timeout(1200)
async def test_ten_thousand_events_arrive_over_twenty_kills_of_the_sender(tmp_path, record_property):
    """Each once settled, in order within its run, signed; the seed is in the failure's text."""
    seed = random.SystemRandom().randrange(2**32)
    figures = await survive(tmp_path, runs=1000, kills=20, seed=seed, seconds=900)
    record_property("figures", repr(figures))
    print(f"seed {seed}: {figures}")  # noqa: T201  # shown by `pytest -s`; the figures go into the documentation
    assert figures.arrived == figures.events == 10_000, f"seed {seed}: {figures}"
