"""Scenarios: readable files that say what the mock plays. `load` gives one by its name or from a user's own file."""

from functools import lru_cache
from typing import TYPE_CHECKING

from lodestream_mock.scenarios.library import UnknownScenario, complete, names, source
from lodestream_mock.scenarios.reading import scenario_of
from lodestream_mock.scenarios.story import Scenario
from lodestream_mock.scenarios.yaml_source import read

if TYPE_CHECKING:
    from lodestream_mock.scenarios.checking import Mistake

__all__ = ["Scenario", "UnknownScenario", "WrongScenario", "load", "mistakes", "names", "source"]


class WrongScenario(ValueError):
    """A scenario file has mistakes; `mistakes` (never empty) are all of them."""

    def __init__(self, found: list["Mistake"]) -> None:
        super().__init__("; ".join(str(mistake) for mistake in found))
        self.mistakes = found


def mistakes(text: str) -> list["Mistake"]:
    """Everything wrong with the text of a scenario file, in the order of its lines; empty when it can be played."""
    from lodestream_mock.scenarios import checking  # late: what comes with the mock is not checked at every start

    return checking.mistakes(text)


def load(name: str, language: str = "en") -> Scenario:
    """A scenario in one language. A user's own file is checked first. Raises UnknownScenario and WrongScenario."""
    own = name.endswith((".yaml", ".yml"))
    text = source(name)
    if own and (found := mistakes(text)):
        raise WrongScenario(found)
    return _load(text, language)


@lru_cache(64)
def _load(text: str, language: str) -> Scenario:
    return scenario_of(complete(read(text)[0]), language)
