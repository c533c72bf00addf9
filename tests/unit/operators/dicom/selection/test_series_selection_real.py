"""Selection on real headers of seven vendors (shared data; skipped where it is absent)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from operators.dicom.reading.series import scan
from operators.dicom.selection.series_selection import decide

if TYPE_CHECKING:
    from pathlib import Path

_FLAIR = {"fluid_attenuated"}
_GRE_IR = {"gradient_echo", "t1_inversion_recovery"}
_CT = {"not_magnetic_resonance", "not_an_mr_image", "axial", "contrast_unknown"}

_REJECTED: dict[str, set[str]] = {
    "sag_t1_brain": {*_GRE_IR, "other_body_part"},
    "dicom2nifti/ge/anatomical/001": _GRE_IR,
    "dicom2nifti/siemens/anatomical/001": _FLAIR,
    "dicom2nifti/generic/compressed_j2k": _FLAIR,
    "dicom2nifti/generic/anatomical/002_non_isotropic": {"reformatted", "axial", "t1_weighted"},
    "dicom2nifti/generic/rgb": {
        "not_an_mr_image",
        "colour_image",
        "secondary_image",
        "derived_image",
        "axial",
        "contrast_unknown",
    },
    "dicom2nifti/hitachi/anatomical/001": {"oblique", "proton_density_weighted"},
    "dicom2nifti/hyperfine": {"axial", "fluid_attenuated"},
    "dicom2nifti/philips_enhanced/anatomical/001": {"t1_weighted"},
    "dicom2nifti/siemens_multiframe": {"axial", "echo_time_short"},
    "dicom2nifti/failing/gantrytilting": _CT,
    "dicom2nifti/failing/notavolume": _CT,
    "dicom2nifti/failing/sliceincrement/001": _CT | {"secondary_image"},
    "dicom2nifti/failing/slicecount": _FLAIR,
    "dcm_qa/dcm_qa_12bit": {"mosaic", "axial", "echo_planar"},
    "dcm_qa/dcm_qa_ts": {"mosaic", "axial", "echo_planar"},
    "dcm_qa/dcm_qa_enh/In/Philips": {"axial", "gradient_echo"},
    "dcm_qa/dcm_qa_enh/In/Siemens": {"axial", "echo_planar", "gradient_echo"},
}


@pytest.mark.parametrize(
    ("study", "taken"),
    [("lumbar_a", ["t2_tse_sag"]), ("lumbar_b", ["t2_tse_sag"]), ("lumbar_c", ["t2_tse_sag"])],
)
def test_of_a_lumbar_study_only_the_sagittal_t2_is_taken(
    study: str,
    taken: list[str],
    shared_data: Path,
):
    decisions = decide(scan(shared_data / "data/dicom/spine" / study).series)

    assert [item.series.description for item in decisions if item.accepted] == taken


@pytest.mark.parametrize(("folder", "names"), list(_REJECTED.items()))
def test_every_other_series_is_rejected_for_exactly_these_reasons(
    folder: str,
    names: set[str],
    shared_data: Path,
):
    decisions = decide(scan(shared_data / "data/dicom" / folder).series)

    assert decisions
    for decision in decisions:
        told = {item.name for item in decision.reasons if item.decides and not item.speaks_for}
        assert not decision.accepted
        assert told == names


def test_of_the_real_dual_echo_series_the_35_slices_of_te_92_ms_are_taken(shared_data: Path):
    (decision,) = decide(scan(shared_data / "data/dicom/dcm_qa/dcm_qa_pdt2").series)

    assert decision.stacks
    assert {float(frame.header.EchoTime) for frame in decision.stacks[0].record.frames} == {92.0}
    assert (len(decision.stacks[0].record.frames), len(decision.series.frames)) == (35, 70)


def test_two_sagittal_and_two_axial_t2_slices_go_to_assembly_with_hints(shared_data: Path):
    folder = shared_data / "data/dicom/dicom2nifti/failing/sliceorientation"
    (decision,) = decide(scan(folder).series)

    assert decision.accepted
    assert decision.stacks[0].record is decision.series
    hints = {reason.name for reason in decision.reasons if not reason.decides}
    assert hints >= {"mixed_orientations", "few_slices"}
