-- Which entity of the target is the counterpart of which entity of the source.
CREATE TABLE mappings (
    source         TEXT    NOT NULL,
    target         TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    source_id      INTEGER NOT NULL,
    locale         TEXT    NOT NULL,            -- '' for kinds that exist once per instance
    target_id      INTEGER NOT NULL,
    target_name    TEXT,
    source_version INTEGER,
    target_version INTEGER,
    source_hash    TEXT,
    target_hash    TEXT,
    origin         TEXT    NOT NULL,
    run            TEXT    NOT NULL,
    PRIMARY KEY (source, target, kind, source_id, locale)
) WITHOUT ROWID;

-- Counterparts that were replaced or forgotten, oldest first.
CREATE TABLE mapping_history (
    id            INTEGER PRIMARY KEY,
    source        TEXT    NOT NULL,
    target        TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    source_id     INTEGER NOT NULL,
    locale        TEXT    NOT NULL,
    target_id     INTEGER NOT NULL,
    origin        TEXT    NOT NULL,
    run           TEXT    NOT NULL,             -- the run that had written the row
    replaced_by   TEXT                          -- the run that moved it; null when it was removed
);

CREATE TRIGGER mapping_moved AFTER UPDATE OF target_id ON mappings
WHEN OLD.target_id <> NEW.target_id
BEGIN
    INSERT INTO mapping_history (source, target, kind, source_id, locale, target_id, origin, run, replaced_by)
    VALUES (OLD.source, OLD.target, OLD.kind, OLD.source_id, OLD.locale, OLD.target_id, OLD.origin, OLD.run, NEW.run);
END;

CREATE TRIGGER mapping_removed AFTER DELETE ON mappings
BEGIN
    INSERT INTO mapping_history (source, target, kind, source_id, locale, target_id, origin, run, replaced_by)
    VALUES (OLD.source, OLD.target, OLD.kind, OLD.source_id, OLD.locale, OLD.target_id, OLD.origin, OLD.run, NULL);
END;

-- Notes that a request is about to leave.
CREATE TABLE intents (
    run           TEXT    NOT NULL,
    id            INTEGER NOT NULL,
    source        TEXT    NOT NULL,
    target        TEXT    NOT NULL,
    operation     TEXT    NOT NULL,
    keys          TEXT    NOT NULL,             -- JSON array of entity keys
    payload_hash  TEXT    NOT NULL,             -- JSON array of hashes, one per key
    attempt       INTEGER NOT NULL,
    batch         INTEGER,
    state         TEXT    NOT NULL,
    PRIMARY KEY (run, id)
) WITHOUT ROWID;

CREATE INDEX intents_unsettled ON intents (source, target) WHERE state IN ('open', 'in-doubt');

-- What an entity of the target was before a run replaced it.
CREATE TABLE pre_images (
    run            TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    target_id      INTEGER NOT NULL,
    locale         TEXT    NOT NULL,
    target_version INTEGER,
    hash           TEXT    NOT NULL,            -- of the normal form, to tell later edits
    body           TEXT    NOT NULL,
    PRIMARY KEY (run, kind, target_id, locale)
) WITHOUT ROWID;

CREATE TABLE runs (
    run         TEXT    NOT NULL PRIMARY KEY,
    source      TEXT    NOT NULL,
    target      TEXT    NOT NULL,
    command     TEXT    NOT NULL,
    options     TEXT    NOT NULL,               -- JSON
    started_at  TEXT    NOT NULL,               -- RFC 3339
    finished_at TEXT,
    exit        INTEGER,
    counts      TEXT                            -- JSON
) WITHOUT ROWID;

CREATE TABLE run_entities (
    run       TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    source_id INTEGER NOT NULL,
    locale    TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    outcome   TEXT    NOT NULL,
    detail    TEXT,                             -- the reason of a failure, the root cause of a block
    target_id INTEGER,
    because   TEXT    NOT NULL,
    attempts  INTEGER NOT NULL,
    PRIMARY KEY (run, kind, source_id, locale)
) WITHOUT ROWID;

-- One run at a time per pair of instances.
CREATE TABLE leases (
    source      TEXT    NOT NULL,
    target      TEXT    NOT NULL,
    generation  INTEGER NOT NULL,               -- rises with every owner
    owner       TEXT    NOT NULL,
    host        TEXT    NOT NULL,
    process     INTEGER NOT NULL,
    run         TEXT    NOT NULL,
    since_ms    INTEGER NOT NULL,               -- milliseconds since 1970, UTC
    expires_ms  INTEGER NOT NULL,
    PRIMARY KEY (source, target)
) WITHOUT ROWID;

-- What was learned about a host, such as the rate that it bears.
CREATE TABLE hosts (
    host  TEXT NOT NULL,
    key   TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (host, key)
) WITHOUT ROWID;
