"""Which attributes of a source image a result copies: patient, study, scanner, frame of reference.

A closed list, so that a result's identity can be computed from exactly what it repeats. How values
are read and checked stands in ``source_headers``.
"""

from __future__ import annotations

PATIENT_KEYWORDS: tuple[str, ...] = (
    "PatientName", "PatientID", "IssuerOfPatientID", "TypeOfPatientID",
    "IssuerOfPatientIDQualifiersSequence", "PatientBirthDate", "PatientBirthTime", "PatientSex",
    "OtherPatientIDsSequence", "OtherPatientNames", "EthnicGroup", "PatientComments",
    "PatientSpeciesDescription", "PatientIdentityRemoved", "DeidentificationMethod",
    "DeidentificationMethodCodeSequence", "QualityControlSubject",
    "ClinicalTrialSponsorName", "ClinicalTrialProtocolID", "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID", "ClinicalTrialSiteName", "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
)  # fmt: skip
"""Copied from DICOM PS3.3 C.7.1.1 (Patient) and C.7.1.3 (Clinical Trial Subject)."""

STUDY_KEYWORDS: tuple[str, ...] = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "ReferringPhysicianName", "StudyID",
    "AccessionNumber", "IssuerOfAccessionNumberSequence", "StudyDescription",
    "ProcedureCodeSequence", "ReferencedStudySequence", "PhysiciansOfRecord",
    "AdmittingDiagnosesDescription", "PatientAge", "PatientSize", "PatientWeight",
    "PregnancyStatus", "ClinicalTrialTimePointID", "ClinicalTrialTimePointDescription",
)  # fmt: skip
"""Copied from DICOM PS3.3 C.7.2.1 (General Study), C.7.2.2 (Patient Study), C.7.2.3."""

EQUIPMENT_KEYWORDS: tuple[str, ...] = (
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "DeviceSerialNumber",
    "InstitutionName", "StationName",
)  # fmt: skip
"""Of the scanner; goes into Contributing Equipment Sequence."""

SERIES_KEYWORDS: tuple[str, ...] = (
    "SeriesInstanceUID", "FrameOfReferenceUID", "PositionReferenceIndicator",
    "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod",
    "TimezoneOffsetFromUTC",
)  # fmt: skip

COPIED: tuple[str, ...] = PATIENT_KEYWORDS + STUDY_KEYWORDS + EQUIPMENT_KEYWORDS + SERIES_KEYWORDS

REQUIRED_EMPTY: tuple[str, ...] = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "ReferringPhysicianName", "StudyID", "AccessionNumber",
)  # fmt: skip
"""Type 2: present and empty in the result where a poor source lacks them."""

REQUIRED_PLACE: tuple[str, ...] = (
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
)
OPTIONAL_PLACE: tuple[str, ...] = ("SliceThickness", "SpacingBetweenSlices")
"""Of every plane, as written: PS3.3 C.7.6.2 (Image Plane), C.7.6.16.2.1 (Pixel Measures)."""
