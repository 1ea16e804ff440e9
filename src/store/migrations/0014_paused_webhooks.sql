-- Webhooks of a target that a run has switched off, or is about to, and that are to be switched on again. The row goes once that
-- is done; what outlives its run is done by the next one of the pair. Of a webhook only its id and its name are kept.
CREATE TABLE paused_webhooks (
    source    TEXT    NOT NULL,
    target    TEXT    NOT NULL,
    webhook   TEXT    NOT NULL,                 -- rowKey
    name      TEXT    NOT NULL,
    run       TEXT    NOT NULL,
    PRIMARY KEY (source, target, webhook)
) WITHOUT ROWID;
