-- An entity of the target is the counterpart of one entity of the source at most, per locale.
-- Rows of an older state that break this are set aside, all of them: which one is right cannot be told from here. They are
-- reported, and what they name is recognised by other evidence or left alone.
CREATE TABLE disputed_mappings (
    source         TEXT    NOT NULL,
    target         TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    source_id      INTEGER NOT NULL,
    locale         TEXT    NOT NULL,
    target_id      INTEGER NOT NULL,
    PRIMARY KEY (source, target, kind, source_id, locale)
) WITHOUT ROWID;

INSERT INTO disputed_mappings (source, target, kind, source_id, locale, target_id)
SELECT source, target, kind, source_id, locale, target_id FROM mappings AS one
WHERE EXISTS (
    SELECT 1 FROM mappings AS other
    WHERE other.source = one.source AND other.target = one.target AND other.kind = one.kind
      AND other.locale = one.locale AND other.target_id = one.target_id AND other.source_id <> one.source_id
);

DELETE FROM mappings
WHERE EXISTS (
    SELECT 1 FROM disputed_mappings AS one
    WHERE one.source = mappings.source AND one.target = mappings.target AND one.kind = mappings.kind
      AND one.locale = mappings.locale AND one.source_id = mappings.source_id
);

CREATE UNIQUE INDEX mapping_claims ON mappings (source, target, kind, locale, target_id);

-- A dispute is over when the entity has a counterpart again.
CREATE TRIGGER dispute_settled AFTER INSERT ON mappings
BEGIN
    DELETE FROM disputed_mappings
    WHERE source = NEW.source AND target = NEW.target AND kind = NEW.kind AND source_id = NEW.source_id AND locale = NEW.locale;
END;
