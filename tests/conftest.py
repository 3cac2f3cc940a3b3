"""What holds for every test: whatever store it leaves, each run in it is what its events say."""

from collections.abc import Iterator
from pathlib import Path

import pytest

_SEEN: set[Path] = set()


def _is_rebuilt(folder: Path) -> None:
    if not any(folder.iterdir()):
        return
    from tests.support.rebuilt import DATABASE, differences  # most tests leave nothing, and do without the server

    left = set(folder.rglob(DATABASE)) - _SEEN
    _SEEN.update(left)
    assert not (faults := differences(left)), "\n".join(faults)


@pytest.fixture(autouse=True)
def _every_run_is_what_its_events_say(request: pytest.FixtureRequest) -> Iterator[None]:
    """Looks once everything else of the test is taken down, servers included."""
    folder: Path | None = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if folder is not None:
        _is_rebuilt(folder)


@pytest.fixture(autouse=True, scope="session")
def _so_is_every_run_of_shared_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same for stores in folders of modules and sessions, which outlive their tests."""
    yield
    _is_rebuilt(tmp_path_factory.getbasetemp())
