-- What runs published or meant to, what became of it, and what the public saw before.
CREATE TABLE IF NOT EXISTS publishings (
    run       TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    source_id INTEGER NOT NULL,
    locale    TEXT    NOT NULL,
    target_id INTEGER NOT NULL,
    name      TEXT    NOT NULL,
    state     TEXT    NOT NULL,                 -- open, published or refused
    reason    TEXT,                             -- of a refusal
    live      TEXT    NOT NULL,                 -- JSON: the published version before
    PRIMARY KEY (run, kind, source_id, locale)
) WITHOUT ROWID;
