"""What headers of different vendors say, read into one record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operators.dicom.headers.mr_physics import read_physics
from operators.dicom.headers.normal_header import normal_header
from tests.builders.plain_headers import header
from tests.builders.sloppy_elements import write

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


@pytest.mark.parametrize(
    ("name", "sequences"),
    [
        ("*tse2d1_15", {"SE"}),
        ("*tseR2d1rr19", {"SE"}),
        ("*spcR_100", {"SE"}),
        ("*h2d1_192", {"SE"}),
        ("*tir2d1rr11", {"IR"}),
        ("*spcir_242ns", {"IR", "SE"}),
        ("*fl2d1", {"GR"}),
        ("*me2d1r3", {"GR"}),
        ("*tfl3d1_16ns", {"GR"}),
        ("*tfi3d1", {"GR"}),
        ("*ep_b1000#1", {"EP"}),
        ("*epfid2d1_64", {"EP"}),
        ("FFE", {"GR"}),
        ("TSE", {"SE"}),
        ("anything", set()),
    ],
)
def test_the_sequence_name_tells_the_sequence_where_the_code_is_missing(
    name: str,
    sequences: set[str],
):
    assert read_physics([header(SequenceName=name)]).sequences == sequences


def test_a_coded_spin_echo_is_not_overruled_by_a_gradient_echo_name():
    physics = read_physics([header(ScanningSequence="SE", SequenceName="*fl2d1")])

    assert physics.sequences == {"SE"}


def test_an_inversion_in_the_name_is_added_to_a_coded_spin_echo():
    physics = read_physics([header(ScanningSequence="SE", SequenceName="*tir2d1_11")])

    assert physics.sequences == {"SE", "IR"}


def test_research_mode_says_nothing_and_philips_image_type_fills_in():
    physics = read_physics(
        [header(ScanningSequence="RM", ImageType=["ORIGINAL", "PRIMARY", "M_FFE", "M", "FFE"])],
    )

    assert physics.sequences == {"GR"}


def test_codes_in_one_string_with_a_backslash_are_two_codes():
    assert read_physics([header(ScanningSequence="SE\\IR")]).sequences == {"SE", "IR"}


def test_times_of_zero_count_as_not_written():
    physics = read_physics([header(EchoTime=0, RepetitionTime=0, InversionTime=0)])

    assert physics.echo_time_ms is None
    assert physics.repetition_time_ms is None
    assert physics.inversion_time_ms is None


def test_the_echo_train_is_read_from_the_name_where_its_attribute_is_missing():
    assert read_physics([header(SequenceName="*tse2d1_17")]).echo_train_length == 17
    assert read_physics([header(SequenceName="*tseR2d1rr19")]).echo_train_length == 19


def test_times_are_medians_over_slices():
    headers = [header(EchoTime=time) for time in (101.0, 102.0, 500.0)]

    assert read_physics(headers).echo_time_ms == 102.0


@pytest.mark.parametrize(
    ("attributes", "is_3d"),
    [
        ({"MRAcquisitionType": "3D"}, True),
        ({"MRAcquisitionType": "2D", "SliceThickness": 1.0}, False),
        ({"SliceThickness": 1.0}, True),
        ({"SliceThickness": 4.0}, False),
        ({"SequenceName": "*spcR_100"}, True),
        ({"SequenceName": "*tse2d1_15"}, False),
    ],
)
def test_3d_is_told_by_code_then_by_thickness_or_name(attributes: dict[str, object], is_3d: bool):  # noqa: FBT001 - a parametrised expectation
    assert read_physics([header(**attributes)]).is_3d is is_3d


@pytest.mark.parametrize(
    ("attributes", "is_single_shot"),
    [
        ({"SequenceName": "*h2d1_192"}, True),
        ({"EchoTrainLength": 160, "MRAcquisitionType": "2D"}, True),
        ({"EchoTrainLength": 160, "MRAcquisitionType": "3D"}, False),
        ({"EchoTrainLength": 30}, False),
    ],
)
def test_a_single_shot_is_told_by_name_or_by_100_echoes_in_2d(
    attributes: dict[str, object],
    is_single_shot: bool,  # noqa: FBT001 - a parametrised expectation
):
    assert read_physics([header(**attributes)]).is_single_shot is is_single_shot


def test_fat_suppression_is_told_by_scan_options_or_spectral_suppression():
    assert read_physics([header(ScanOptions=["PFP", "FS"])]).is_fat_suppressed
    assert read_physics([header(SpectrallySelectedSuppression="FAT")]).is_fat_suppressed
    assert not read_physics([header(ScanOptions="SAT1")]).is_fat_suppressed


def test_enhanced_attributes_add_inversion_and_echo_planar_readout():
    physics = read_physics(
        [header(InversionRecovery="YES", EchoPlanarPulseSequence="YES", ScanningSequence="SE")],
    )

    assert physics.sequences == {"SE", "IR", "EP"}


def test_the_coded_contrast_is_read_and_unknown_is_none():
    assert read_physics([header(AcquisitionContrast="T2")]).coded_contrast == "T2"
    assert read_physics([header(AcquisitionContrast="UNKNOWN")]).coded_contrast is None
    image_type = ["ORIGINAL", "PRIMARY", "PROTON_DENSITY", "NONE"]
    assert read_physics([header(ImageType=image_type)]).coded_contrast == "PROTON_DENSITY"


def test_an_empty_header_says_nothing():
    physics = read_physics([header()])

    assert physics.sequences == frozenset()
    assert physics.echo_time_ms is None
    assert not physics.is_3d


def _with_unreadable(**quantities: str) -> Dataset:
    """Header of a T2 TSE slice in which some quantities are text."""
    item = header(EchoTime=100.0, RepetitionTime=3500.0, ScanningSequence="SE")
    for keyword, text in quantities.items():
        write(item, keyword, "DS", text.encode())
    return normal_header(item)[0]


def test_times_with_decimal_commas_are_times():
    physics = read_physics([_with_unreadable(InversionTime="160,0", EchoTime="64,0")])

    assert (physics.inversion_time_ms, physics.echo_time_ms) == (160.0, 64.0)
    assert physics.unreadable == frozenset()


@pytest.mark.parametrize(("echo_ms", "unread"), [("-12", {"EchoTime"}), ("0", set())])
def test_a_negative_time_is_unreadable_and_0_is_not_set(echo_ms: str, unread: set[str]):
    physics = read_physics([_with_unreadable(EchoTime=echo_ms)] * 11)

    assert physics.echo_time_ms is None
    assert physics.unreadable == unread


def test_a_quantity_is_unreadable_only_where_no_slice_tells_it():
    unread, plain = _with_unreadable(InversionTime="short"), _with_unreadable(InversionTime="160")

    assert read_physics([unread] * 11).unreadable == {"InversionTime"}
    assert read_physics([unread, *[plain] * 10]).unreadable == frozenset()
    assert read_physics([unread, *[plain] * 10]).inversion_time_ms == 160
