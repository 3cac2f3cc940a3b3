"""A thousand clients that make the same calls get the same messages, byte for byte."""

import pytest

from tests.mock.test_determinism import transcript

pytestmark = pytest.mark.acceptance


@pytest.mark.timeout(600)  # a thousand times 30 ms on an idle machine
@pytest.mark.parametrize("scenario", ["documented", "operation-retried"])
async def test_a_thousand_runs_of_a_scenario_give_identical_transcripts(scenario):
    """Submitted, followed to the end and listed, each time in a session of its own."""
    first = await transcript(scenario)
    for _ in range(1000):
        assert await transcript(scenario) == first
