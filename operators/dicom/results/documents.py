"""Report and picture as DICOM objects: Encapsulated PDF and Secondary Capture.

For systems that show neither segmentations nor structured reports. Both stand beside the
segmentations of a stack (``companions``), point at the images they were made from, and name the
object of an earlier revision that they replace. What they show is not looked at.

References
----------
DICOM PS3.3 A.45.1 (Encapsulated PDF IOD), C.24.2 (Encapsulated Document); A.8.1 (Secondary Capture
Image IOD), C.8.6.1 (SC Equipment).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sc import SCImage
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from operators.anatomy.codes import LOCAL_SCHEME, LOCAL_SCHEME_NAME
from operators.dicom.identity.provenance import MANUFACTURER
from operators.dicom.identity.result_kinds import PDF, PREVIEW, REPORT_FILE
from operators.dicom.results.companions import (
    companion_series_number,
    companion_uid,
    series_description,
    take_over,
)
from operators.dicom.results.predecessors import name_predecessors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from operators.dicom.identity.provenance import Predecessor, ResultContext
    from operators.dicom.identity.result_kinds import ResultKind

_DERIVATION: Final = "Sections along the spine with structures and levels of the segmentations"


def encode_pdf(pdf: bytes, title: str, semantic: Dataset, context: ResultContext) -> Dataset:
    """Encapsulate a report.

    Parameters
    ----------
    pdf : bytes
        The document.
    title : str
        Of the document, free of patient data.
    semantic : Dataset
        Semantic segmentation of the same stack.
    context : ResultContext
        Of the stack.

    Returns
    -------
    Dataset
        With file meta information, ready for `reading.whole_files.write_dataset`. The same
        input gives the same bytes.
    """
    result = Dataset()
    _identify(result, PDF, semantic, context)
    result.Modality = "DOC"
    result.ConversionType = "WSD"
    result.AcquisitionDateTime = ""
    result.BurnedInAnnotation = "YES"  # the page says whose it is
    result.RecognizableVisualFeatures = "NO"
    result.SourceInstanceSequence = list(semantic.SourceImageSequence)
    result.DocumentTitle = title
    result.ConceptNameCodeSequence = [CodedConcept("126000", "DCM", "Imaging Measurement Report")]
    result.VerificationFlag = "UNVERIFIED"
    result.MIMETypeOfEncapsulatedDocument = REPORT_FILE.media_type
    result.EncapsulatedDocument = pdf + bytes(len(pdf) % 2)
    result.EncapsulatedDocumentLength = len(pdf)
    replaced = [one for one in context.predecessors if one.kind == PDF.name]
    if replaced:
        result.PredecessorDocumentsSequence = [_document(one) for one in replaced]
    result.file_meta = FileMetaDataset()
    result.file_meta.MediaStorageSOPClassUID = result.SOPClassUID
    result.file_meta.MediaStorageSOPInstanceUID = result.SOPInstanceUID
    result.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return result


def encode_preview(
    picture: NDArray[np.uint8], semantic: Dataset, context: ResultContext
) -> Dataset:
    """Make a Secondary Capture of a picture.

    Parameters
    ----------
    picture : (rows, columns, 3) ndarray of uint8
        RGB, free of patient data.
    semantic : Dataset
        Semantic segmentation of the same stack.
    context : ResultContext
        Of the stack.

    Returns
    -------
    Dataset
        In RLE Lossless, with file meta information. The same input gives the same bytes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of pydicom and highdicom quote values
        made = SCImage(
            pixel_array=picture,
            photometric_interpretation="RGB",
            bits_allocated=8,
            coordinate_system="PATIENT",
            study_instance_uid=str(semantic.StudyInstanceUID),
            series_instance_uid=companion_uid(semantic, PREVIEW, "series"),
            series_number=companion_series_number(semantic, PREVIEW),
            sop_instance_uid=companion_uid(semantic, PREVIEW, "instance"),
            instance_number=1,
            manufacturer=MANUFACTURER,
            patient_orientation=("P", "F"),
            transfer_syntax_uid=ExplicitVRLittleEndian,
        )
    result = Dataset()
    result.update({element.tag: element for element in made})
    result.file_meta, result.preamble = made.file_meta, made.preamble
    _identify(result, PREVIEW, semantic, context)
    result.ConversionType = "WSD"
    result.BodyPartExamined = "SPINE"  # unpaired: no laterality
    result.PatientOrientation = ""  # several sections on one sheet; each says its own directions
    result.BurnedInAnnotation = "NO"
    result.DateOfSecondaryCapture = semantic.ContentDate
    result.TimeOfSecondaryCapture = semantic.ContentTime
    result.SourceImageSequence = list(semantic.SourceImageSequence)
    result.DerivationDescription = _DERIVATION
    result.ReferencedSeriesSequence = list(semantic.ReferencedSeriesSequence)
    replaced = [one for one in context.predecessors if one.kind == PREVIEW.name]
    if replaced:
        name_predecessors(result, replaced)
        result.CodingSchemeIdentificationSequence = [
            CodingSchemeIdentificationItem(LOCAL_SCHEME, name=LOCAL_SCHEME_NAME, version="1")
        ]
    # Named, since pydicom would take GDCM's encoder, which aborts the process at noisy pixels.
    result.compress(RLELossless, encoding_plugin="pylibjpeg", generate_instance_uid=False)
    return result


def _identify(result: Dataset, kind: ResultKind, semantic: Dataset, context: ResultContext) -> None:
    """Write who, what and which into an object (in place)."""
    take_over(result, semantic)
    result.SOPClassUID = kind.sop_class_uid
    result.SOPInstanceUID = companion_uid(semantic, kind, "instance")
    result.SeriesInstanceUID = companion_uid(semantic, kind, "series")
    result.SeriesNumber = companion_series_number(semantic, kind)
    result.SeriesDescription = series_description(f"SPINEPS {kind.name}", context)
    result.InstanceNumber = 1


def _document(replaced: Predecessor) -> Dataset:
    """Item that names a document by study and series (PS3.3 table C.17-3)."""
    reference, series, study = Dataset(), Dataset(), Dataset()
    reference.ReferencedSOPClassUID = PDF.sop_class_uid
    reference.ReferencedSOPInstanceUID = replaced.sop_instance_uid
    series.SeriesInstanceUID = replaced.series_uid
    series.ReferencedSOPSequence = [reference]
    study.StudyInstanceUID = replaced.study_uid
    study.ReferencedSeriesSequence = [series]
    return study
