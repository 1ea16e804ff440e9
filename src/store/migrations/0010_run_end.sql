-- What brought a run to its end, by name; absent of runs that an older program ended.
ALTER TABLE runs ADD COLUMN ended TEXT;
