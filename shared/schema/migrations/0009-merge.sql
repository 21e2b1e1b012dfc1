-- When each group of columns of a row was last written, and by which region: what two versions of one row are
-- merged by (docs/conflict-rules.md). NULL: the row stands as it was inserted, at its own version.

ALTER TABLE rides ADD COLUMN _merge JSON NULL INVISIBLE;
ALTER TABLE routes ADD COLUMN _merge JSON NULL INVISIBLE;
ALTER TABLE stops ADD COLUMN _merge JSON NULL INVISIBLE;
ALTER TABLE payments ADD COLUMN _merge JSON NULL INVISIBLE;
