"""Masks and measurements as DICOM objects: SEG, SR, PDF, Secondary Capture."""
