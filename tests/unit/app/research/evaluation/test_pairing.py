from pathlib import Path

import numpy as np
import pytest

from app.research.evaluation.measures import Masks
from app.research.evaluation.pairing import find_cases, pair_folders
from app.research.evaluation.reading import read_prediction, read_reference
from operators.dicom.reading.whole_files import write_dataset
from operators.dicom.results.segmentation import encode_segmentations
from operators.errors import GeometryError, UnreadableInputError
from operators.imaging.nifti import write_label_map
from operators.imaging.orientation import reorient
from tests.builders.mr_series import make_series
from tests.builders.results import CONTEXT, label_maps, volume_of
from tests.builders.spine_boxes import spine_boxes, write_derivatives


def test_derivatives_of_one_case_are_paired_by_their_stem(tmp_path: Path):
    write_derivatives(tmp_path / "sub-1", {"sub-1_mod-T2w": spine_boxes()})
    write_derivatives(tmp_path / "sub-2", {"sub-2_mod-T2w": spine_boxes()})
    (tmp_path / "sub-2" / "sub-2_T2w.nii.gz").write_bytes(b"the image")
    cases = find_cases(tmp_path)
    assert list(cases) == ["sub-1_mod-T2w", "sub-2_mod-T2w"]
    for files in cases.values():
        assert files.semantic.name.endswith("_seg-spine_msk.nii.gz")
        assert files.instances.name.endswith("_seg-vert_msk.nii.gz")
        assert files.plain is None


def test_segmentation_objects_are_paired_by_their_stem(tmp_path: Path):
    for name in ("a_semantic.dcm", "a_instances.dcm", "b_semantic.dcm"):
        (tmp_path / name).touch()
    cases = find_cases(tmp_path)
    assert cases["a"].instances.name == "a_instances.dcm"
    assert cases["b"].instances is None


def test_a_synthetic_truth_is_named_by_its_folder(tmp_path: Path):
    for name in ("seed1", "seed2"):
        (tmp_path / name).mkdir()
        write_label_map(spine_boxes().semantic, tmp_path / name / "semantic.nii.gz")
        write_label_map(spine_boxes().instances, tmp_path / name / "instances.nii.gz")
    assert list(find_cases(tmp_path)) == ["seed1", "seed2"]
    assert list(find_cases(tmp_path / "seed1")) == ["case"]


def test_plain_names_count_where_there_are_no_others_and_labels_tell_the_kind(tmp_path: Path):
    write_label_map(spine_boxes().instances, tmp_path / "x.nii.gz")
    write_label_map(spine_boxes().semantic, tmp_path / "y.nii")
    cases = find_cases(tmp_path)
    assert read_reference(cases["x"]).semantic is None
    assert read_reference(cases["x"]).instances is not None
    assert read_reference(cases["y"]).instances is None


def test_an_empty_plain_prediction_is_of_the_kind_of_its_reference(tmp_path: Path):
    reference = Masks(instances=spine_boxes().instances)
    empty = reference.instances.with_labels(np.zeros_like(reference.instances.labels_zyx))
    write_label_map(empty, tmp_path / "x.nii.gz")
    found = read_prediction(find_cases(tmp_path)["x"], reference)
    assert found.semantic is None
    assert not found.instances.labels_zyx.any()


def test_a_case_without_a_prediction_is_one_in_which_nothing_was_found():
    found = read_prediction(None, spine_boxes())
    assert not found.semantic.labels_zyx.any()
    assert not found.instances.labels_zyx.any()


def test_a_prediction_in_another_orientation_comes_onto_the_reference_grid(tmp_path: Path):
    masks = spine_boxes()
    turned = Masks(
        semantic=reorient(masks.semantic, ("L", "A", "S")),
        instances=reorient(masks.instances, ("R", "S", "P")),
    )
    write_derivatives(tmp_path, {"x": turned})
    found = read_prediction(find_cases(tmp_path)["x"], masks)
    assert np.array_equal(found.semantic.labels_zyx, masks.semantic.labels_zyx)
    assert np.array_equal(found.instances.labels_zyx, masks.instances.labels_zyx)


def test_segmentation_objects_come_onto_the_grid_of_a_nifti_reference(tmp_path: Path):
    volume = volume_of(make_series(tmp_path / "mr"))
    semantic, instances = label_maps(volume)
    folder = tmp_path / "seg"
    folder.mkdir()
    for dataset, kind in zip(
        encode_segmentations(semantic, instances, volume, CONTEXT),
        ("semantic", "instances"),
        strict=True,
    ):
        write_dataset(dataset, folder / f"x_{kind}.dcm")
    write_derivatives(tmp_path / "ref", {"x": Masks(semantic=semantic, instances=instances)})
    reference = read_reference(find_cases(tmp_path / "ref")["x"])
    found = read_prediction(find_cases(folder)["x"], reference)
    assert np.array_equal(found.semantic.labels_zyx, reference.semantic.labels_zyx)
    assert np.array_equal(found.instances.labels_zyx > 0, reference.instances.labels_zyx > 0)


def test_a_prediction_with_another_spacing_is_refused(tmp_path: Path):
    masks = spine_boxes()
    coarse = masks.semantic.affine_lps.copy()
    coarse[:3, 0] *= 1.1
    labels = masks.semantic.labels_zyx
    write_derivatives(tmp_path, {"x": Masks(semantic=type(masks.semantic)(labels, coarse))})
    with pytest.raises(GeometryError) as caught:
        read_prediction(find_cases(tmp_path)["x"], masks)
    assert caught.value.reasons == ("different_grids",)


@pytest.mark.parametrize("reason", ["missing_input", "no_masks", "ambiguous_names"])
def test_folders_that_cannot_be_paired_are_refused_by_name(tmp_path: Path, reason: str):
    folder = tmp_path / "masks"
    if reason != "missing_input":
        folder.mkdir()
    if reason == "ambiguous_names":
        for part in ("one", "two"):
            write_derivatives(folder / part, {"x": spine_boxes()})
    with pytest.raises(UnreadableInputError) as caught:
        find_cases(folder)
    assert caught.value.reasons == (reason,)


def test_a_plain_reference_that_tells_nothing_is_refused(tmp_path: Path):
    labels = spine_boxes().instances
    write_label_map(labels.with_labels(labels.labels_zyx * 0), tmp_path / "x.nii.gz")
    with pytest.raises(UnreadableInputError) as caught:
        read_reference(find_cases(tmp_path)["x"])
    assert caught.value.reasons == ("unknown_kind",)


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_seg_object_has_no_modality_in_its_name_and_is_paired_all_the_same(tmp_path: Path):
    reference = touched(tmp_path / "ref", "sub-1_mod-T2w_seg-spine_msk.nii.gz", "b_semantic.dcm")
    prediction = touched(
        tmp_path / "ours", "sub-1_semantic.dcm", "b_semantic.dcm", "c_semantic.dcm"
    )
    pairs = pair_folders(reference, prediction, "ours")
    found = {case: files.semantic.name for case, files in pairs.predictions.items()}
    assert found == {"sub-1_mod-T2w": "sub-1_semantic.dcm", "b": "b_semantic.dcm"}
    assert pairs.without_reference == ("c",)


def test_two_modalities_of_one_subject_are_not_guessed_between(tmp_path: Path):
    names = [f"sub-1_mod-{m}_seg-spine_msk.nii.gz" for m in ("T1w", "T2w")]
    reference = touched(tmp_path / "ref", *names)
    both = pair_folders(reference, touched(tmp_path / "both", *names), "both")
    assert list(both.predictions) == ["sub-1_mod-T1w", "sub-1_mod-T2w"]
    with pytest.raises(UnreadableInputError) as caught:
        pair_folders(reference, touched(tmp_path / "one", "sub-1_semantic.dcm"), "one")
    assert caught.value.reasons == ("no_pairs",)
    assert "CASE_semantic.dcm" in caught.value.message


def test_a_case_both_as_nifti_and_as_seg_would_count_twice_and_is_refused(tmp_path: Path):
    touched(tmp_path, "a/sub-1_mod-T2w_seg-spine_msk.nii.gz", "b/sub-1_semantic.dcm")
    with pytest.raises(UnreadableInputError) as caught:
        find_cases(tmp_path)
    assert caught.value.reasons == ("ambiguous_names",)
    assert "NIfTI and as SEG" in caught.value.message


def test_only_a_seg_as_the_reference_hides_the_levels(tmp_path: Path):
    seg = touched(tmp_path / "seg", "a_semantic.dcm", "a_instances.dcm")
    nifti = touched(tmp_path / "nifti", "a_seg-vert_msk.nii.gz")
    assert pair_folders(nifti, seg, "ours").levels_can_be_known
    assert not pair_folders(seg, nifti, "ours").levels_can_be_known


def test_swapped_files_are_refused_instead_of_scored_as_0(tmp_path: Path):
    masks = spine_boxes()
    write_derivatives(tmp_path, {"x": Masks(semantic=masks.instances, instances=masks.semantic)})
    with pytest.raises(UnreadableInputError) as caught:
        read_prediction(find_cases(tmp_path)["x"], masks)
    assert caught.value.reasons == ("other_kind",)


def objects(folder: Path, names: tuple[str, str], source: Path, uid: str = "") -> str:
    """Both SEG objects of a new series under any names; its UID."""
    folder.mkdir(parents=True, exist_ok=True)
    volume = volume_of(make_series(source))
    maps = label_maps(volume)
    for dataset, name in zip(encode_segmentations(*maps, volume, CONTEXT), names, strict=True):
        (series,) = dataset.ReferencedSeriesSequence
        uid = series.SeriesInstanceUID = uid or series.SeriesInstanceUID
        write_dataset(dataset, folder / name)
    return uid


def test_segmentation_objects_of_any_name_are_paired_by_the_series_they_reference(tmp_path: Path):
    for folder, names in (
        ("ref", ("IM1.dcm", "IM2.dcm")),
        ("out", ("x_semantic.dcm", "x_instances.dcm")),
    ):
        uid = objects(tmp_path / folder, names, tmp_path / f"mr-{folder}")
    pairs = pair_folders(tmp_path / "ref", tmp_path / "out", "ours")
    assert list(pairs.references) == [uid]
    assert pairs.series == {uid: uid}
    assert pairs.predictions[uid].semantic.name == "x_semantic.dcm"
    assert pairs.references[uid].instances.name == "IM2.dcm"
    truth = read_reference(pairs.references[uid])
    assert truth.semantic.labels_zyx.any()


def test_a_nifti_mask_is_paired_by_the_series_in_the_json_beside_it(tmp_path: Path):
    uid = objects(tmp_path / "ref", ("a_semantic.dcm", "a_instances.dcm"), tmp_path / "mr")
    write_derivatives(tmp_path / "out", {"sub-1_acq-series3": spine_boxes()})
    for kind in ("seg-spine", "seg-vert"):
        (tmp_path / "out" / f"sub-1_acq-series3_{kind}_msk.json").write_text(
            f'{{"SeriesInstanceUID": "{uid}"}}', "utf-8"
        )
    # As `cohort` leaves it: the objects of the series lie beside the same masks as NIfTI.
    names = ("sub-1_desc-dicom_semantic.dcm", "sub-1_desc-dicom_instances.dcm")
    objects(tmp_path / "out", names, tmp_path / "mr2", uid)
    pairs = pair_folders(tmp_path / "ref", tmp_path / "out", "ours")
    assert pairs.predictions["a"].semantic.name == "sub-1_acq-series3_seg-spine_msk.nii.gz"
    assert pairs.without_reference == ()


def test_masks_of_one_name_that_name_different_series_are_no_pair(tmp_path: Path):
    names = ("a_semantic.dcm", "a_instances.dcm")
    objects(tmp_path / "ref", names, tmp_path / "mr1", "1.2.3.1")
    objects(tmp_path / "out", names, tmp_path / "mr2", "1.2.3.2")
    with pytest.raises(UnreadableInputError) as caught:
        pair_folders(tmp_path / "ref", tmp_path / "out", "ours")
    assert caught.value.reasons == ("no_pairs",)
