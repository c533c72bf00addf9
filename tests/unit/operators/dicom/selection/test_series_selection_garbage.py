"""Headers full of nonsense get a decision, never an exception."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from operators.dicom.selection.outlook import as_json
from operators.dicom.selection.series_selection import decide
from tests.builders.plain_headers import changed, series_of, t2_headers

_KEYWORDS = (
    "Modality",
    "SOPClassUID",
    "ImageType",
    "ScanningSequence",
    "SequenceName",
    "MRAcquisitionType",
    "EchoTime",
    "RepetitionTime",
    "InversionTime",
    "EchoTrainLength",
    "EchoNumbers",
    "DiffusionBValue",
    "TemporalPositionIdentifier",
    "SliceThickness",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
    "Rows",
    "SeriesDescription",
    "SamplesPerPixel",
    "LossyImageCompression",
)
_NONSENSE: tuple[object, ...] = (
    "",
    "\\\\",
    "NaN",
    "1e999",
    "-1",
    "0",
    "abc",
    "1\\2\\x",
    ["1", "2", "3"],
    ["", None, "7"],
    b"\xff\x00",
    1e300,
    -0.0,
    "ä" * 100,
)


@pytest.mark.parametrize("seed", range(6))
def test_fifty_headers_of_nonsense_each_get_a_decision_with_reasons(seed: int):
    rng = np.random.default_rng(seed)
    for _ in range(50):
        headers = [_spoilt(item, rng) for item in t2_headers(3)]
        (decision,) = decide([series_of(headers)])
        assert decision.reasons
        assert as_json([decision])


def _spoilt(item: Dataset, rng: np.random.Generator) -> Dataset:
    spoilt = changed(item)
    for keyword in rng.choice(_KEYWORDS, size=4, replace=False):
        tag = tag_for_keyword(str(keyword))
        assert tag is not None
        value = _NONSENSE[int(rng.integers(len(_NONSENSE)))]
        element = DataElement(tag, "UT", "")
        element._value = value
        element.VR = dictionary_VR(tag)
        spoilt[tag] = element
    return spoilt
