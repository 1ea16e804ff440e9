-- What runs that share a host and a token agree about its rate, a row for each quota. Only runs that share a server write it; in a
-- file it stays empty. What is in `joint` may change with a later version of this schema, which then empties the table.
CREATE TABLE rates (
    host       TEXT    NOT NULL,
    account    TEXT    NOT NULL,                -- a keyed hash of the token, which cannot be turned back
    class      TEXT    NOT NULL,                -- main or fetch
    version    INTEGER NOT NULL,                -- one more with each change
    changed_ms INTEGER NOT NULL,                -- milliseconds since 1970, UTC
    joint      TEXT    NOT NULL,                -- JSON
    PRIMARY KEY (host, account, class)
) WITHOUT ROWID;
