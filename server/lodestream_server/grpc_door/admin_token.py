"""The administrator's key: made at the first start, kept in the data directory for the starts after it.

The file is readable by the server's user alone; deleting it takes the key out of ready files, not out of force.
"""

import logging
import os
from pathlib import Path
from typing import Final

from lodestream_server.engine.keys import Keys

log = logging.getLogger(__name__)
FILE: Final = "admin-token"


async def admin_token(keys: Keys, data_dir: Path, *, renew: bool = False) -> str | None:
    """The token of a key good for every tenant; None when it is not in the data directory any more."""
    path = data_dir / FILE
    kept = path.read_text().strip() if path.exists() else None
    if kept and not renew:
        known = await keys.check(kept)
        if known is not None and known.role == "admin" and known.tenant_id is None:
            return kept
    if not renew and await keys.list():
        log.warning("the administrator's key is not in %s any more; start with --renew-admin-token for a new one", FILE)
        return None
    _, token = await keys.create(name="admin", role="admin")
    write_private(path, token + "\n")
    return token


def write_private(path: Path, text: str) -> None:
    """Writes a file whole or not at all, readable by its owner alone."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
