"""The tables, by migrations; a newer store is refused before anything is touched. Called once, when the store opens.

`user_version` of the file is the number of migrations applied, so that an older program can tell without knowing
their names.
"""

import sqlite3
import uuid
from pathlib import Path

import sqlite_utils
from sqlite_utils import Migrations

from lodestream.errors import DiskFull, LodestreamError, StoreDamaged, StoreTooNew, StoreUnavailable
from lodestream_server.store.delivery_tables import DELIVERY

VERSION = 6
migrations = Migrations("lodestream")


@migrations()
def m001_begin(db: sqlite_utils.Database) -> None:
    """Runs and their events, counters, files, keys, remembered requests."""
    for statement in _BEGIN.strip().split(";\n"):
        db.execute(statement)


@migrations()
def m002_delivery(db: sqlite_utils.Database) -> None:
    """Endpoints and attempts."""
    for statement in DELIVERY.strip().split(";\n"):
        db.execute(statement)


@migrations()
def m002_order(db: sqlite_utils.Database) -> None:
    """What runs wait for, batches, retries, paused queues, files that are to go."""
    for statement in _ORDER.strip().split(";\n"):
        db.execute(statement)


@migrations()
def m003_inputs(db: sqlite_utils.Database) -> None:
    """Resources, and what runs work on beside their dataset."""
    for statement in _INPUTS.strip().split(";\n"):
        db.execute(statement)


@migrations()
def m004_figures(db: sqlite_utils.Database) -> None:
    """How much each run told along the way, and its tenant's earlier runs of the type, without looking at events."""
    for statement in _FIGURES.strip().split(";\n"):
        db.execute(statement)


@migrations()
def m005_alarms(db: sqlite_utils.Database) -> None:
    """Warnings and errors of a run, without looking at its other lines."""
    db.execute(f"CREATE INDEX events_alarms ON events (run, sequence) WHERE {ALARMS}")


@migrations()
def m006_leaving(db: sqlite_utils.Database) -> None:
    """Runs that leave a log for whoever comes after."""
    db.execute("CREATE TABLE leaving (run TEXT PRIMARY KEY) WITHOUT ROWID")
    db.execute(
        "INSERT INTO leaving SELECT DISTINCT a.run FROM artifacts a JOIN runs r ON r.run = a.run"
        " WHERE r.ended IS NULL AND json_extract(CAST(a.record AS TEXT), '$.kind') = 'EnrichedDataset'"
    )


#: What `lines` asks for in the same words, or SQLite does not find the index. The cast: bodies are JSON kept as bytes.
ALARMS = (
    "(kind IN ('warned', 'error-noted')"
    " OR (kind = 'logged' AND json_extract(CAST(body AS TEXT), '$.level') IN ('WARN', 'ERROR')))"
)

# Hand-written, because sqlite-utils cannot say WITHOUT ROWID, CHECK or partial indexes.
_BEGIN = """
CREATE TABLE identity (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    run TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    priority INTEGER NOT NULL,
    state TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    submitted_by TEXT NOT NULL,
    dataset TEXT,
    size_bytes INTEGER,
    created INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER,
    last_sequence INTEGER NOT NULL,
    folded BLOB NOT NULL
);
CREATE INDEX runs_by_project ON runs (tenant, project, kind, created, number);
CREATE INDEX runs_by_state ON runs (tenant, project, kind, state, created, number);
CREATE INDEX runs_unended ON runs (state, number) WHERE ended IS NULL;
CREATE INDEX runs_of_dataset ON runs (dataset) WHERE ended IS NULL;
CREATE INDEX runs_history ON runs (type, ended) WHERE state = 'COMPLETED';
CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX events_of_run ON events (run, sequence);
CREATE UNIQUE INDEX events_one_ending ON events (run)
    WHERE kind IN ('completed', 'failed', 'cancelled', 'timed-out');
CREATE INDEX events_results ON events (run, sequence) WHERE kind = 'phase-completed';
CREATE TABLE counters (
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    runs INTEGER NOT NULL CHECK (runs >= 0),
    PRIMARY KEY (tenant, project, kind, state)
) WITHOUT ROWID;
CREATE TABLE datasets (
    number INTEGER PRIMARY KEY,
    dataset TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    created INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX datasets_by_project ON datasets (tenant, project, created, number);
CREATE TABLE artifacts (
    artifact TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    record BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX artifacts_of_run ON artifacts (run);
CREATE TABLE api_keys (
    key TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    record BLOB NOT NULL,
    last_used INTEGER
) WITHOUT ROWID;
CREATE TABLE remembered_requests (
    scope TEXT NOT NULL,
    request TEXT NOT NULL,
    body_hash BLOB NOT NULL,
    response BLOB NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (scope, request)
) WITHOUT ROWID
"""
_ORDER = """
CREATE TABLE dependencies (
    run TEXT NOT NULL,
    needs TEXT NOT NULL,
    PRIMARY KEY (run, needs)
) WITHOUT ROWID;
CREATE INDEX dependants ON dependencies (needs, run);
CREATE TABLE retries (
    origin TEXT NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (origin, run)
) WITHOUT ROWID;
CREATE TABLE batches (
    number INTEGER PRIMARY KEY,
    batch TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    created INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE TABLE paused_queues (
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    record BLOB NOT NULL,
    PRIMARY KEY (tenant, project)
) WITHOUT ROWID;
CREATE TABLE doomed_files (run TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE INDEX runs_ended ON runs (tenant, ended) WHERE ended IS NOT NULL;
CREATE INDEX runs_started ON runs (tenant, started) WHERE started IS NOT NULL
"""
_INPUTS = """
CREATE TABLE resources (
    number INTEGER PRIMARY KEY,
    resource TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    type TEXT NOT NULL,
    created INTEGER NOT NULL,
    record BLOB NOT NULL
);
CREATE INDEX resources_by_project ON resources (tenant, project, created, number);
CREATE TABLE uses (
    run TEXT NOT NULL,
    kind TEXT NOT NULL,
    used TEXT NOT NULL,
    PRIMARY KEY (run, kind, used)
) WITHOUT ROWID;
CREATE INDEX users ON uses (kind, used, run)
"""
_FIGURES = """
ALTER TABLE runs ADD COLUMN along_bytes INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET along_bytes = (SELECT coalesce(sum(length(body)), 0) FROM events e WHERE e.run = runs.run
    AND e.kind IN ('progressed', 'metrics-changed', 'logged', 'sampled'));
CREATE INDEX runs_along ON runs (tenant, ended, run, along_bytes) WHERE ended IS NOT NULL AND along_bytes > 0;
DROP INDEX runs_history;
CREATE INDEX runs_history ON runs (tenant, type, ended) WHERE state = 'COMPLETED'
"""


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection set up as every connection here is; transactions are begun by hand."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    connection.execute("PRAGMA synchronous = FULL")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def prepare(path: Path) -> str:
    """Creates or updates the tables; the store's id. Raises StoreTooNew, StoreDamaged, DiskFull and StoreUnavailable,
    with nothing changed."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        found = connection.execute("PRAGMA user_version").fetchone()[0]
        if found > VERSION:
            raise StoreTooNew(
                f"The store has version {found}, this program knows up to {VERSION}; "
                "start the newer Lodestream again. Nothing was changed."
            )
        _check(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        if found < VERSION:
            migrations.apply(sqlite_utils.Database(connection))
            connection.execute(f"PRAGMA user_version = {VERSION}")
        return _identity(connection)
    except sqlite3.DatabaseError as fault:
        raise _refusal(fault) from fault
    finally:
        connection.close()


def _refusal(fault: sqlite3.DatabaseError) -> LodestreamError:
    name = getattr(fault, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return DiskFull("No space is left on the disk of the store; make room and start again. Nothing was changed.")
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_BUSY", "SQLITE_PERM")):
        told = f"The disk does not let the store be used ({fault}); see to it and start again. Nothing was changed."
        return StoreUnavailable(told)
    return StoreDamaged(f"The store cannot be read ({fault}); nothing was changed.")


def _check(connection: sqlite3.Connection) -> None:
    # The first page of every b-tree root: cheap, and finds files that are not SQLite or are cut short.
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()


def _identity(connection: sqlite3.Connection) -> str:
    connection.execute("INSERT OR IGNORE INTO identity VALUES ('store', ?)", (uuid.uuid4().hex,))
    store_id: str = connection.execute("SELECT value FROM identity WHERE name = 'store'").fetchone()[0]
    return store_id
