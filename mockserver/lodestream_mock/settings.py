"""How the mock server is started: its doors, and the settings of sessions that name none."""

from dataclasses import dataclass, field
from pathlib import Path

from lodestream_mock.session.settings import SessionSettings

#: Fixed, so that a configuration file can name them; beside the real server's 50051.
GRPC = "127.0.0.1:50061"
REST = "127.0.0.1:8061"
#: The version of the documented contract that this mock replays; `--contract-version` refuses others.
CONTRACT_VERSION = "v1"


class BadSetting(ValueError):
    """An option cannot be used; the text names it and the fix."""


@dataclass(frozen=True, slots=True)
class MockSettings:
    """`grpc` and `rest` are HOST:PORT, port 0 takes a free one; "" shuts the REST door.

    `allowed_hosts` are hosts besides the loopback that webhooks may be posted to.
    """

    grpc: str = GRPC
    rest: str = REST
    sessions: SessionSettings = field(default_factory=SessionSettings)
    ready_file: Path | None = None
    allowed_hosts: tuple[str, ...] = field(default=())


def check_version(wanted: str) -> None:
    """Raises BadSetting when this mock replays another version of the contract."""
    if wanted not in ("", CONTRACT_VERSION):
        raise BadSetting(
            f"--contract-version {wanted}: this mock replays {CONTRACT_VERSION}; "
            f"install a release of lodestream that replays {wanted}"
        )
