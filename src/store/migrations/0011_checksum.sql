-- A checksum over each row, so that a flipped bit is damage and never another counterpart. Rows of an older state get theirs
-- when it is brought up to date.
ALTER TABLE mappings ADD COLUMN checksum TEXT NOT NULL DEFAULT '';
