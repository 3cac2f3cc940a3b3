"""The data directory: who may read it, how much room there is, and whether this program can use its store.

Opens the store for reading only, also while a server uses it, and never creates or changes anything.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from lodestream_server.doctor.finding import Finding, good, problem, warning
from lodestream_server.doctor.settings_checks import OTHERS, private
from lodestream_server.grpc_door.admin_token import FILE
from lodestream_server.grpc_door.credentials import LINK_KEY_FILE
from lodestream_server.store.schema import VERSION
from lodestream_server.store.store import DATABASE

#: Less than that and the next log may not fit; the system status says DEGRADED then.
LITTLE_DISK_BYTES: Final = 10**9
_SHARE: Final = 0.05
#: Checking reads the whole file: beyond that it takes minutes.
_CHECKED_BYTES: Final = 2 * 10**9


def place(data_dir: Path) -> Iterator[Finding]:
    """What there is to say of the data directory."""
    yield from disk(data_dir)
    if not data_dir.is_dir():
        yield good("data-dir", f"{data_dir} is not there yet; the first start makes it.")
        return
    yield from files(data_dir)
    yield from store(data_dir / DATABASE)


def disk(data_dir: Path) -> Iterator[Finding]:
    """How much room is left."""
    folder = next((one for one in (data_dir, *data_dir.absolute().parents) if one.is_dir()), Path("/"))
    usage = shutil.disk_usage(folder)
    said = f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB are free."
    fix = "Make room: a full disk refuses uploads and runs. See the settings of retention."
    if usage.free < LITTLE_DISK_BYTES:
        yield problem("disk", said, fix)
    elif usage.free < _SHARE * usage.total:
        yield warning("disk", said, fix)
    else:
        yield good("disk", said)


def files(data_dir: Path) -> Iterator[Finding]:
    """Whether others may read what is secret."""
    found = []
    mode = data_dir.stat().st_mode & 0o777
    if mode & OTHERS:
        said = f"Others than its owner may look into {data_dir} (mode {mode:o})."
        found.append(warning("data-dir", said, f"chmod go= {data_dir}"))
    for name in (FILE, LINK_KEY_FILE, DATABASE):
        if (path := data_dir / name).exists() and (name != DATABASE or mode & OTHERS):
            found += private(name, path)
    yield from found or [good("files", "Nobody but the owner may read what is secret.")]


def store(path: Path) -> Iterator[Finding]:
    """Whether this program can use the store."""
    if not path.exists():
        yield good("store", "There is no store yet; the first start makes it.")
        return
    try:
        version, fault = _look(path)
    except sqlite3.Error as error:
        yield problem("store", f"The store cannot be read: {error}.", "Put back a copy of the data directory.")
        return
    if fault != "ok":
        yield problem("store", f"The store is damaged: {fault}.", "Put back a copy of the data directory.")
    elif version > VERSION:
        said = f"The store has version {version}, this program knows up to {VERSION}."
        yield problem("store", said, "Start the newer Lodestream again.")
    elif version < VERSION:
        said = f"The store has version {version}; the next start brings it to {VERSION}, and there is no way back."
        yield warning("store", said, "Copy the data directory before.")
    else:
        yield good("store", f"The store has version {version} and can be read.")


def _look(path: Path) -> tuple[int, str]:
    """The store's version, and SQLite's own opinion of it."""
    # Without a server at work even a reader would leave the files of the write-ahead log behind; `immutable` does not.
    at_work = path.with_name(f"{path.name}-wal").exists()
    address = f"file:{quote(str(path.absolute()))}?mode=ro{'' if at_work else '&immutable=1'}"
    connection = sqlite3.connect(address, uri=True, timeout=5.0)
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if path.stat().st_size > _CHECKED_BYTES:
            return version, "ok"
        return version, str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    finally:
        connection.close()
