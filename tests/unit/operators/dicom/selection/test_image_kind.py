"""Acquired images pass, made images don't, and DERIVED needs an explanation."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset, FileMetaDataset

from operators.dicom.selection.image_kind import dixon_image, judge_kind
from tests.builders.plain_headers import MR_IMAGE, header


def _names(*, decides: bool = True, **attributes: object) -> set[str]:
    plain: dict[str, object] = {"Modality": "MR", "SOPClassUID": MR_IMAGE}
    judged = judge_kind(header(**{**plain, **attributes}))
    return {reason.name for reason in judged if reason.decides == decides}


@pytest.mark.parametrize(
    "words",
    [
        ["M", "ND"],
        ["M", "NORM", "DIS2D"],
        ["M_SE", "M", "SE"],
        ["OTHER"],
        ["T2", "NONE"],
        ["IN_PHASE"],
        ["WATER"],
    ],
)
def test_an_original_primary_image_has_nothing_against_it(words: list[str]):
    assert _names(ImageType=["ORIGINAL", "PRIMARY", *words]) == set()


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["M", "LOCALIZER"], "localizer"),
        (["MPR", "NORM"], "reformatted"),
        (["PROJECTION IMAGE"], "projection"),
        (["M", "SUB"], "subtraction"),
        (["ADC"], "parameter_map"),
        (["T2 MAP"], "parameter_map"),
        (["P", "ND"], "phase_image"),
        (["PHASE MAP", "P", "FFE"], "phase_image"),
        (["M", "COMPOSED"], "composed"),
        (["M", "COMP_AD"], "composed"),
        (["M", "MOSAIC"], "mosaic"),
        (["DIXON", "FAT"], "dixon_fat"),
        (["OPP_PHASE"], "dixon_opposed_phase"),
    ],
)
def test_one_word_of_image_type_tells_a_made_or_foreign_image(words: list[str], name: str):
    assert _names(ImageType=["ORIGINAL", "PRIMARY", *words]) == {name}


@pytest.mark.parametrize(
    "explanation",
    [
        {"LossyImageCompression": "01"},
        {"ImageType": ["DERIVED", "PRIMARY", "M", "NORM"]},
        {"ImageType": ["DERIVED", "PRIMARY", "DIXON", "WATER"]},
        {"PatientIdentityRemoved": "YES"},
    ],
)
def test_a_derived_image_passes_where_the_header_says_what_kept_its_contrast(
    explanation: dict[str, object],
):
    attributes = {"ImageType": ["DERIVED", "PRIMARY", "OTHER"], **explanation}

    assert _names(**attributes) == set()
    assert "derived_image" in _names(**attributes, decides=False)


def test_a_derived_image_without_explanation_is_rejected():
    assert _names(ImageType=["DERIVED", "PRIMARY", "OTHER"]) == {"derived_image"}


def test_a_derived_image_in_lossy_jpeg_2000_passes_without_the_attribute():
    item = header(Modality="MR", SOPClassUID=MR_IMAGE, ImageType=["DERIVED", "PRIMARY"])
    item.file_meta = FileMetaDataset()
    item.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.91"

    assert not any(reason.decides for reason in judge_kind(item))


def test_a_lossy_secondary_image_is_rejected():
    attributes = {"ImageType": ["DERIVED", "SECONDARY"], "LossyImageCompression": "01"}

    assert _names(**attributes) == {"secondary_image"}


@pytest.mark.parametrize(
    ("code", "name"),
    [("113072", "reformatted"), ("113062", "subtraction"), ("113041", "parameter_map")],
)
def test_a_derivation_code_tells_a_made_image(code: str, name: str):
    item = Dataset()
    item.CodeValue = code
    attributes = {"ImageType": ["ORIGINAL", "PRIMARY"], "DerivationCodeSequence": [item]}

    assert _names(**attributes) == {name}


def test_a_derivation_code_of_lossy_compression_makes_nothing_new():
    item = Dataset()
    item.CodeValue = "113040"

    assert _names(ImageType=["ORIGINAL", "PRIMARY"], DerivationCodeSequence=[item]) == set()


def test_ct_secondary_capture_and_segmentation_are_no_mr_images():
    assert _names(Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2") == {
        "not_magnetic_resonance",
        "not_an_mr_image",
    }
    assert _names(SOPClassUID="1.2.840.10008.5.1.4.1.1.7") == {"not_an_mr_image"}
    assert "not_an_mr_image" in _names(Modality="SEG", SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4")


@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.4.4"])
def test_enhanced_and_legacy_converted_mr_are_mr_images(uid: str):
    assert _names(SOPClassUID=uid) == set()


def test_a_result_of_this_product_is_rejected_by_its_equipment():
    assert _names(ManufacturerModelName="SPINEPS Node") == {"own_result"}


def test_a_synthetic_study_of_this_product_is_input_not_a_result():
    phantom = {"Manufacturer": "SPINEPS Node", "ManufacturerModelName": "Synthetic phantom"}

    assert _names(**phantom) == set()


def test_a_colour_image_is_rejected():
    assert _names(SamplesPerPixel=3) == {"colour_image"}


def test_the_real_part_of_an_enhanced_image_is_rejected():
    assert _names(ComplexImageComponent="REAL") == {"phase_image"}


def test_dixon_images_are_told_by_image_type():
    assert dixon_image(header(ImageType=["DERIVED", "PRIMARY", "IP"])) == (True, False)
    assert dixon_image(header(ImageType=["DERIVED", "PRIMARY", "W"])) == (False, True)
    assert dixon_image(header(ImageType=["ORIGINAL", "PRIMARY", "M"])) == (False, False)
