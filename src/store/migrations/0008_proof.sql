-- How far an agreement is proven, what the server filled in, and the bytes of an asset. What an older program wrote
-- counts as read back: it compared everything, and an entity that differed shows as changed on the target.
ALTER TABLE mappings ADD COLUMN proof TEXT NOT NULL DEFAULT 'equal';
ALTER TABLE mappings ADD COLUMN filled TEXT;                            -- JSON object; null when empty
ALTER TABLE mappings ADD COLUMN bytes_hash TEXT;
ALTER TABLE mappings ADD COLUMN bytes_date TEXT;
