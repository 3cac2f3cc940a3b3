"""A server and commands as a user has them: `lodestream serve` as a process of its own, and the command line beside it.

with served(tmp_path) as server:
    server.run("datasets", "upload", "log.csv", "--json").json["datasetId"]

The server keeps its data directory and its port over `kill` and `start`, so that whoever watches finds it again.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.server import PROJECT, ROOT, TENANT

START_S = 30.0
COMMAND_S = 100.0


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that has ended: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document it printed."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """The documents it printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(slots=True)
class Served:
    """`lodestream serve` with its data below `folder`, on one port for all of its lives."""

    folder: Path
    options: Sequence[str] = ()
    #: Put before the command, such as `prlimit --fsize=…`.
    wrapper: Sequence[str] = ()
    port: int = field(default_factory=lambda: free_port())
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def token(self) -> str:
        """The administrator's key, which the first start makes."""
        return str(json.loads((self.folder / "token.json").read_text())["token"])

    @property
    def environment(self) -> dict[str, str]:
        """The settings of the command line; nothing of the person's own who runs the test."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("LODESTREAM_")}
        return own | {
            "LODESTREAM_TARGET": self.address,
            "LODESTREAM_TOKEN": self.token,
            "LODESTREAM_TENANT": TENANT,
            "LODESTREAM_PROJECT": PROJECT,
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "COLUMNS": "200",
            "PYTHONPATH": _search_path(),
        }

    @property
    def log(self) -> str:
        """What the server has written."""
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Starts it and returns when it answers."""
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        own = {name: value for name, value in os.environ.items() if not name.startswith("LODESTREAM_")}
        words = ["serve", "--data-dir", str(self.data), "--grpc", self.address, "--ready-file", str(ready)]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.wrapper, sys.executable, "-m", "lodestream", *words, *self.options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=own | {"PYTHONPATH": _search_path()},
                start_new_session=True,
            )
        self._await(ready)
        # Later starts name no token: only its hash is kept.
        if "token" in json.loads(ready.read_text()):
            (self.folder / "token.json").write_text(ready.read_text())

    def kill(self) -> None:
        """SIGKILL, as a power cut or the kernel's memory killer would end it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Sends it and does not wait."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=START_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def begin(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        """A command under way."""
        return subprocess.Popen(
            [sys.executable, "-m", "lodestream", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment | environment,
            cwd=self.folder,
        )

    def run(self, *words: str | Path, **environment: str) -> Ran:
        """A command to its end. Fails the test when it shows a stack trace."""
        with self.begin(*map(str, words), **environment) as process:
            out, err = process.communicate(timeout=COMMAND_S)
        assert b"Traceback" not in out + err, err.decode()
        return Ran(process.returncode, out.decode(), err.decode())

    def _await(self, ready: Path) -> None:
        assert self._process is not None
        pause = threading.Event()
        for _ in range(int(START_S / 0.02)):
            if ready.exists():
                return
            assert self._process.poll() is None, f"the server ended: {self.log[-2000:]}"
            pause.wait(0.02)
        raise AssertionError(f"the server did not answer within {START_S:g} s: {self.log[-2000:]}")


@contextmanager
def served(folder: Path, *options: str, wrapper: Sequence[str] = ()) -> Iterator[Served]:
    """A server until the context ends; it has to stop with exit code 0."""
    server = Served(folder, options, wrapper)
    server.start()
    try:
        yield server
    except BaseException:
        server.kill()
        raise
    assert server.stop() == 0


def _search_path() -> str:
    """Lets other processes import the helpers of the tests."""
    return os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


def free_port() -> int:
    """A port that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
