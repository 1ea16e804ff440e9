-- Where a page stood on both sides when they last agreed about it. A page without a row is one of an older program: the
-- hashes of its mapping hold its parent, and nothing is known of its order.
CREATE TABLE page_places (
    source    TEXT    NOT NULL,
    target    TEXT    NOT NULL,
    source_id INTEGER NOT NULL,
    locale    TEXT    NOT NULL,
    place     TEXT    NOT NULL,                 -- JSON object
    PRIMARY KEY (source, target, source_id, locale)
) WITHOUT ROWID;

CREATE TRIGGER page_place_removed AFTER DELETE ON mappings WHEN OLD.kind = 'page'
BEGIN
    DELETE FROM page_places WHERE source = OLD.source AND target = OLD.target
        AND source_id = OLD.source_id AND locale = OLD.locale;
END;
