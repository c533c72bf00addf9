"""DICOM in: the listener that answers C-ECHO and C-STORE, and what it promises by 0x0000."""
