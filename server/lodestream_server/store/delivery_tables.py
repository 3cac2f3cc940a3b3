"""The tables of delivery: who is told, how far each has been told, and what became of every attempt.

`endpoints.cursor` is what survives a crash: everything up to it is settled for that endpoint. It is a position of the
store for webhooks, and a sequence of the run for what belongs to one run. A delivery has no row of its own: it is what
its attempts say. Applied by `schema`; read and written by `lodestream_server.delivery`.
"""

DELIVERY = """
CREATE TABLE endpoints (
    number INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    project TEXT NOT NULL,
    run TEXT,
    status TEXT NOT NULL,
    cursor INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    registration BLOB NOT NULL,
    begun INTEGER NOT NULL DEFAULT 0,
    delivered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    answers INTEGER NOT NULL DEFAULT 0,
    answers_us INTEGER NOT NULL DEFAULT 0,
    last_delivery INTEGER,
    failed_in_a_row INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER
);
CREATE INDEX endpoints_by_project ON endpoints (tenant, project, kind, created, number);
CREATE INDEX endpoints_of_run ON endpoints (run, kind) WHERE run IS NOT NULL;
CREATE INDEX endpoints_served ON endpoints (number) WHERE status = 'ACTIVE';
CREATE TABLE attempts (
    number INTEGER PRIMARY KEY,
    endpoint INTEGER NOT NULL,
    delivery TEXT NOT NULL,
    run TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    position INTEGER NOT NULL,
    event TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    due INTEGER NOT NULL,
    time INTEGER NOT NULL,
    status_code INTEGER,
    took_us INTEGER,
    error TEXT,
    outcome TEXT NOT NULL,
    next INTEGER
);
CREATE INDEX attempts_of_delivery ON attempts (delivery, number);
CREATE INDEX attempts_first ON attempts (endpoint, number) WHERE ordinal = 1;
CREATE INDEX attempts_of_endpoint ON attempts (endpoint, position);
CREATE INDEX attempts_open ON attempts (endpoint) WHERE outcome IN ('retry', 'asked');
CREATE TABLE delivery_cursors (name TEXT PRIMARY KEY, cursor INTEGER NOT NULL) WITHOUT ROWID
"""
