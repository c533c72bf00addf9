"""DICOM to plain data and back: selection, assembly, decoding, segmentation objects."""
