-- What recovery needs to know about the entities of a request, and when it was noted.
ALTER TABLE intents ADD COLUMN details   TEXT    NOT NULL DEFAULT '[]';  -- JSON array, one object per key
ALTER TABLE intents ADD COLUMN opened_ms INTEGER NOT NULL DEFAULT 0;     -- milliseconds since 1970, UTC
