-- Why attempts failed, for `lockgate why`.
ALTER TABLE intents ADD COLUMN answers TEXT NOT NULL DEFAULT '[]';      -- JSON array of sentences
-- It never told more than that there had been one; intents and their answers tell how many there were.
ALTER TABLE run_entities DROP COLUMN attempts;
