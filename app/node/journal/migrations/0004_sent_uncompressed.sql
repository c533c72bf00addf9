-- Whether a destination takes no RLE Lossless and was sent the object uncompressed.
ALTER TABLE delivery ADD COLUMN is_uncompressed INTEGER NOT NULL DEFAULT 0;
