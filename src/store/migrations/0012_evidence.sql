-- Why an entity of the target counts as the counterpart of one of the source, where no run has compared the two: the row
-- came from mapping files, or was recognised. Null once a run has compared or written the entity.
ALTER TABLE mappings ADD COLUMN evidence TEXT;
