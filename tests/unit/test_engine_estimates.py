"""Intervals hold: after twenty runs of a type, for at least eight of the next ten, whatever their durations look like.

The durations are recorded ones, drawn beforehand; no clock is involved.
"""

import math
import random
from collections.abc import Callable

import pytest
from lodestream_server.engine.estimates import disk_bytes, duration
from lodestream_server.runs.bodies import Range
from lodestream_server.store.reading import Past

#: As many as `engine.history` keeps.
NEWEST = 50
Draw = Callable[[random.Random, int], Past]


def _alike(draw: Callable[[random.Random], float]) -> Draw:
    """Durations that nothing is known about but themselves."""
    return lambda chance, _: Past(None, draw(chance))


def _sized(time_of: Callable[[float], float], sizes: Callable[[random.Random], float], noise: float = 0.2) -> Draw:
    """Durations that follow the size of the input."""

    def draw(chance: random.Random, _: int) -> Past:
        size = sizes(chance)
        return Past(int(size), time_of(size) * math.exp(chance.gauss(0, noise)))

    return draw


def _decades(chance: random.Random) -> float:
    return float(10 ** chance.uniform(5, 9))


KINDS: dict[str, Draw] = {
    "steady": _alike(lambda chance: 12 + chance.gauss(0, 0.01)),
    "uniform": _alike(lambda chance: chance.uniform(10, 100)),
    "lognormal": _alike(lambda chance: 60 * math.exp(chance.gauss(0, 0.4))),
    "exponential": _alike(lambda chance: chance.expovariate(1 / 30)),
    "two humps": _alike(lambda chance: chance.choice((5, 5, 5, 60)) * math.exp(chance.gauss(0, 0.1))),
    "heavy tail": _alike(lambda chance: 10 * chance.paretovariate(1.5)),
    "proportional to size": _sized(lambda size: size / 1e6, _decades),
    "start-up and size": _sized(lambda size: 3 + size / 1e7, _decades),
    "whatever the size": _sized(lambda size: 20.0, _decades),
    "square of the size": _sized(lambda size: (size / 1e6) ** 2, lambda chance: 10 ** chance.uniform(5, 7)),
    "small and large": _sized(lambda size: 1 + size / 1e6, lambda chance: chance.choice((1e5, 1e8))),
    "few huge inputs": _sized(lambda size: size / 1e6, lambda chance: 1e6 * chance.paretovariate(0.7), noise=0.3),
    "ever slower": lambda chance, number: Past(None, 30 * 1.005**number * math.exp(chance.gauss(0, 0.2))),
    "twice as slow one day": lambda chance, number: Past(
        None, (30 if number < 60 else 60) * chance.lognormvariate(0, 0.2)
    ),
}


def _held(draw: Draw, seed: int, runs: int = 120, first: int = 20) -> list[bool]:
    """Whether the interval given at each submission held, from the one after `first` runs on."""
    chance = random.Random(seed)
    recorded = [draw(chance, number) for number in range(runs)]
    held = []
    for number in range(first, runs):
        newest_first = recorded[max(0, number - NEWEST) : number][::-1]
        given = duration(newest_first, recorded[number].size_bytes)
        assert given is not None
        held.append(given.low_s <= recorded[number].duration_s <= given.high_s)
    return held


@pytest.mark.parametrize("kind", KINDS)
def test_after_twenty_runs_the_interval_holds_for_eight_of_the_next_ten(kind):
    """Over ten histories of a hundred submissions each."""
    held = [hit for seed in range(10) for hit in _held(KINDS[kind], seed)]
    assert sum(held) / len(held) >= 0.8


def test_an_interval_says_something():
    """No wider than the durations make it: a fifth of noise stays within a factor of three, steady stays steady."""
    chance = random.Random(1)
    sized = [KINDS["proportional to size"](chance, number) for number in range(NEWEST)]
    given = duration(sized, 10**7)
    assert given is not None
    assert given.high_s / given.low_s < 3
    steady = duration([KINDS["steady"](chance, number) for number in range(NEWEST)], None)
    assert steady is not None
    assert steady.high_s - steady.low_s < 0.1


def test_sizes_that_are_alike_count_as_they_are():
    """Between the fastest and the slowest of three, a little to either side of their own sizes."""
    given = duration([Past(100, 10.0), Past(100, 20.0), Past(100, 30.0)], 100)
    assert given == Range(10.0, 30.0)


def test_other_sizes_count_in_proportion_until_there_is_something_better():
    """Ten times the data, ten times the time; or what earlier runs of other sizes have shown."""
    given = duration([Past(100, 3.0)], 1000)
    assert given == Range(30.0, 30.0)
    flat = duration([Past(10**power, 20.0) for power in (3, 4, 5, 6, 7) for _ in range(5)], 10**8)
    assert flat is not None
    assert 10 < flat.low_s < flat.high_s < 40


def test_files_are_expected_in_proportion_to_the_input():
    """As in the middle one of the earlier runs that were measured; of runs without an input, what they took."""
    history = [Past(100, 1.0, 50), Past(1000, 1.0, 300), Past(10, 1.0, 100), Past(10, 1.0), Past(None, 1.0, 7)]
    assert disk_bytes(history, 2000) == 1000
    assert disk_bytes(history, None) == 75
    assert disk_bytes([Past(10, 1.0), Past(None, 1.0, 7)], 10) is None
    assert disk_bytes([], None) is None


def test_an_input_far_from_all_that_was_seen_gets_a_wider_interval():
    """What was never tried is less certain."""
    chance = random.Random(3)
    seen = [_sized(lambda size: size / 1e6, lambda c: 10 ** c.uniform(6, 7))(chance, 0) for _ in range(30)]
    near, far = duration(seen, 3 * 10**6), duration(seen, 10**11)
    assert near is not None
    assert far is not None
    assert far.high_s / far.low_s > 1.5 * near.high_s / near.low_s


@pytest.mark.parametrize(
    "history",
    [
        [Past(10_000, 3.0), Past(12_000, 0.5), Past(11_000, 1.0)],
        [Past(10_000, 3.0), Past(10_000, 0.5)],
        [Past(1000, 0.001), Past(1001, 90_000.0), Past(1002, 0.001)],
    ],
)
def test_small_inputs_say_nothing_of_a_huge_one(history):
    """Instead of ages of the world, which no clock can show."""
    assert duration(history, 5 * 10**9) is None
    assert duration(history, 20 * 10**9) is None


def test_small_inputs_say_something_of_a_small_one():
    """Half a second to three for ten kilobytes."""
    own = duration([Past(10_000, 3.0), Past(12_000, 0.5), Past(11_000, 1.0)], 10_000)
    assert own is not None
    assert 0 < own.low_s < 1 < own.high_s < 60
