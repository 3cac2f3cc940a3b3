"""What is old enough to go, and making it go: jobs for the writer and queries for the readers. Called by
`engine.retention`, a tenant at a time.

What still runs keeps everything, and so does a run whose files or events somebody still needs: a run that waits for it,
a delivery that has not reached it. A run's own row stays, and with it the events that make its story: of the log, only
what was told along the way goes (progress, log lines, measurements).
"""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from lodestream_server.runs.events import ALONG_THE_WAY
from lodestream_server.store.doomed import doom
from lodestream_server.store.times import to_us
from lodestream_server.store.writer import Transaction

_KINDS: Final = ", ".join(f"'{kind}'" for kind in sorted(ALONG_THE_WAY))
#: Nobody who has not ended builds on the run, and nobody is still to be told of it.
_FREE: Final = (
    " r.run NOT IN (WITH RECURSIVE needed(run) AS"
    " (SELECT d.needs FROM dependencies d JOIN runs w ON w.run = d.run WHERE w.ended IS NULL UNION"
    " SELECT u.used FROM uses u JOIN runs w ON w.run = u.run WHERE u.kind = 'run' AND w.ended IS NULL UNION"
    " SELECT d.needs FROM dependencies d JOIN needed n ON n.run = d.run) SELECT run FROM needed)"
    " AND NOT EXISTS (SELECT 1 FROM retries t JOIN runs w ON w.run = t.run WHERE t.origin = r.run AND w.ended IS NULL)"
    " AND NOT EXISTS (SELECT 1 FROM endpoints p WHERE p.status = 'ACTIVE' AND p.tenant = r.tenant AND ((p.run = r.run"
    # A subscription over a WebSocket is shown, and served elsewhere.
    " AND coalesce(json_extract(CAST(p.registration AS TEXT), '$.served'), 1)) OR (p.kind = 'webhook' AND p.cursor <"
    " (SELECT v.position FROM events v WHERE v.run = r.run ORDER BY v.sequence DESC LIMIT 1))"
    # A callback of a batch carries the batch where others carry the run; it tells of every operation. Apart from the
    # run looked at, or SQLite would read every state for it.
    " OR (p.kind = 'batch-callback' AND p.run ="
    " (SELECT json_extract(CAST(b.folded AS TEXT), '$.batch_id') FROM runs b WHERE b.run = r.run))))"
)
#: The run itself, and whoever builds on it by whatever way, has not ended.
_NEEDED: Final = (
    "WITH RECURSIVE builds(run) AS (SELECT ?1 UNION"
    " SELECT d.run FROM builds b JOIN dependencies d ON d.needs = b.run UNION"
    " SELECT u.run FROM builds b JOIN uses u ON u.kind = 'run' AND u.used = b.run UNION"
    " SELECT t.run FROM builds b JOIN retries t ON t.origin = b.run)"
    " SELECT 1 FROM builds JOIN runs w USING (run) WHERE w.ended IS NULL LIMIT 1"
)
#: The cast: records are JSON kept as bytes, which older SQLite refuses to read as JSON.
_SIZE: Final = "json_extract(CAST(record AS TEXT), '$.size_bytes')"


def tenants(connection: sqlite3.Connection) -> list[str]:
    """Everybody who has anything here."""
    rows = connection.execute("SELECT tenant FROM counters UNION SELECT tenant FROM datasets")
    return [row[0] for row in rows]


def runs_to_cut(
    connection: sqlite3.Connection, tenant: str, since: datetime, before: datetime, limit: int
) -> list[str]:
    """Runs that ended in that time and have more than their story, oldest first."""
    query = (
        "SELECT r.run FROM runs r WHERE r.tenant = ? AND r.ended IS NOT NULL AND r.ended >= ? AND r.ended < ?"
        f" AND r.along_bytes > 0 AND {_FREE} ORDER BY r.ended LIMIT ?"
    )
    return [row[0] for row in connection.execute(query, (tenant, to_us(since), to_us(before), limit))]


def cut(tx: Transaction, run_id: str) -> int:
    """Leaves an ended run its story; how many events went."""
    query = "UPDATE runs SET along_bytes = 0 WHERE run = ? AND ended IS NOT NULL"
    if not tx.connection.execute(query, (run_id,)).rowcount:
        return 0
    return tx.connection.execute(f"DELETE FROM events WHERE run = ? AND kind IN ({_KINDS})", (run_id,)).rowcount


def runs_with_events(connection: sqlite3.Connection, tenant: str) -> list[tuple[str, int, int]]:
    """Ended runs that have more than their story and that nobody needs any more, oldest first: id, when it ended in us,
    bytes of what can go."""
    query = (
        "SELECT r.run, r.ended, r.along_bytes FROM runs r"
        f" WHERE r.tenant = ? AND r.ended IS NOT NULL AND r.along_bytes > 0 AND {_FREE} ORDER BY r.ended"
    )
    return connection.execute(query, (tenant,)).fetchall()


def has_all_after(connection: sqlite3.Connection, run_id: str, sequence: int) -> bool:
    """Whether every event of the run above that number is there still."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM events WHERE run = ?1 AND sequence > ?2), last_sequence FROM runs WHERE run = ?1",
        (run_id, sequence),
    ).fetchone()
    return row is None or row[0] >= row[1] - sequence


def runs_with_files(connection: sqlite3.Connection, tenant: str) -> list[tuple[str, int, int]]:
    """Ended runs with artifacts that nobody needs any more, oldest first: id, when it ended in us, bytes."""
    query = (
        f"SELECT r.run, r.ended, sum({_SIZE}) FROM artifacts a JOIN runs r ON r.run = a.run"
        f" WHERE a.tenant = ? AND r.ended IS NOT NULL AND {_FREE} GROUP BY r.run ORDER BY r.ended"
    )
    return connection.execute(query, (tenant,)).fetchall()


def drop_files(tx: Transaction, run_id: str) -> bool:
    """Dooms the files of an ended run; not of one that somebody builds on since it was looked for. Whether it did."""
    if tx.connection.execute(_NEEDED, (run_id,)).fetchone():
        return False
    doom(tx, run_id)
    return True


def idle_datasets(connection: sqlite3.Connection, tenant: str) -> list[tuple[str, str, int, int]]:
    """Datasets that no run needs which has not ended, oldest first: project, id, when it was created in us, bytes."""
    query = (
        f"SELECT d.project, d.dataset, d.created, {_SIZE} FROM datasets d WHERE d.tenant = ? AND NOT EXISTS"
        " (SELECT 1 FROM runs r WHERE r.dataset = d.dataset AND r.ended IS NULL)"
        " AND NOT EXISTS (SELECT 1 FROM uses u JOIN runs w ON w.run = u.run WHERE u.kind = 'dataset'"
        " AND u.used = d.dataset AND w.ended IS NULL) ORDER BY d.created"
    )
    return connection.execute(query, (tenant,)).fetchall()


def too_many(sized: Sequence[tuple[int, int]], before: int | None, most: int | None) -> int:
    """How many of these, (time, bytes) oldest first, have to go: all before that time, and beyond it as many as leave
    no more than `most` bytes."""
    left = sum(size for _, size in sized)
    for index, (time, size) in enumerate(sized):
        if not ((before is not None and time < before) or (most is not None and left > most)):
            return index
        left -= size
    return len(sized)
