"""All sessions of a server, by their key: the `lodestream-session` metadata where it is given, else the tenant."""

from collections.abc import Callable
from dataclasses import replace

from lodestream_mock.session.session import Session
from lodestream_mock.session.settings import SessionSettings

#: Enough for a test-suite that mints a tenant a test, little enough that a forgotten server does not grow for ever.
MAX_SESSIONS = 20_000


class Sessions:
    """Makes sessions when they are first met. `on_new` is told of each one."""

    def __init__(self, defaults: SessionSettings) -> None:
        Session("", defaults)  # wrong settings are refused before the first call
        self.defaults = defaults
        self.on_new: list[Callable[[Session], None]] = []
        self._sessions: dict[str, Session] = {}

    def of(self, key: str) -> Session:
        """The session of a key; a new one with the server's defaults where there is none yet."""
        found = self._sessions.get(key)
        return found if found is not None else self.configure(key)

    def configure(
        self,
        key: str,
        *,
        scenario: str | None = None,
        clock: str | None = None,
        language: str | None = None,
        seed: int | None = None,
    ) -> Session:
        """Begins a session anew with these settings, the server's defaults for the others.

        Raises UnknownScenario, WrongScenario, UnknownClock, UnknownLanguage.
        """
        settings = replace(
            self.defaults,
            scenario=scenario or self.defaults.scenario,
            # Another scenario brings its own clock unless one is named.
            clock=clock or ("" if scenario else self.defaults.clock),
            language=language or self.defaults.language,
            seed=self.defaults.seed if seed is None else seed,
        )
        session = Session(key, settings)
        self._sessions.pop(key, None)
        self._sessions[key] = session
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.pop(next(iter(self._sessions)))
        for told in self.on_new:
            told(session)
        return session

    def known(self) -> list[Session]:
        """Every session so far, oldest first."""
        return list(self._sessions.values())
