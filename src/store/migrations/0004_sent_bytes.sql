-- The hashes of the asset bytes that runs sent, to tell later uploads of the same length.
CREATE TABLE sent_bytes (
    run       TEXT    NOT NULL,
    target_id INTEGER NOT NULL,
    hash      TEXT    NOT NULL,
    PRIMARY KEY (run, target_id)
) WITHOUT ROWID;
