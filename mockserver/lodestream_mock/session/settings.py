"""How a session is set up: the server's defaults, or what the control service asked for."""

from dataclasses import dataclass

from lodestream.wire import LANGUAGES


class UnknownLanguage(ValueError):
    """The mock speaks English and Turkish."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """`clock` "" takes the scenario's own. `language` is what callers get that ask for none."""

    scenario: str = "documented"
    clock: str = ""
    language: str = "en"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise UnknownLanguage(f"no language is called {self.language!r}: use one of {', '.join(LANGUAGES)}")
