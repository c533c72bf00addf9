-- Which results a destination accepted a presentation context for, at the last C-ECHO that a person
-- asked for: groups of operators.dicom.result_kinds, with blanks between; null: never asked.
ALTER TABLE destination ADD COLUMN objects_taken VARCHAR(128);
