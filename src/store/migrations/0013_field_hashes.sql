-- What each field of an item or page said when both sides last agreed, as hashes, so that changes of both sides to different
-- fields can be told apart. Null of other kinds, and of rows that no run of this version has compared.
ALTER TABLE mappings ADD COLUMN fields TEXT;
