"""DICOM out: which results go where, when they are sent again, when they count as delivered."""
