"""Keys over time, on a clock that a test moves."""

from datetime import timedelta

import pytest

from lodestream.errors import InvalidField
from tests.integration.clocks import ManualClock
from tests.integration.engine_world import engine_at


async def test_a_key_is_good_until_the_instant_it_expires(tmp_path):
    """Also when it was used a moment before, and after the server was started anew."""
    clock = ManualClock()
    async with engine_at(tmp_path, clock) as engine:
        end = clock.now() + timedelta(hours=1)
        key, secret = await engine.keys.create(name="visitor", role="read", expires=end)
        _, lasting = await engine.keys.create(name="ci", role="read")
        clock.advance(3599)
        assert (await engine.keys.check(secret)) == key
        clock.advance(1)
        assert await engine.keys.check(secret) is None
        assert await engine.keys.check(lasting)
    async with engine_at(tmp_path, clock) as engine:
        assert await engine.keys.check(secret) is None
        assert {known.name: known.expires for known in await engine.keys.list()} == {"visitor": end, "ci": None}


async def test_a_key_that_is_over_is_not_made(tmp_path):
    """The field is named, as the contract spells it."""
    clock = ManualClock()
    async with engine_at(tmp_path, clock) as engine:
        with pytest.raises(InvalidField, match="expires_at: must be in the future"):
            await engine.keys.create(name="late", role="read", expires=clock.now())
        assert await engine.keys.list() == ()
