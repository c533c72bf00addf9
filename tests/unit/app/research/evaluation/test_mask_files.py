from pathlib import Path

import numpy as np
import pytest

from app.research.evaluation.mask_files import kind_of, read_mask, read_segments
from operators.dicom.reading.whole_files import write_dataset
from operators.dicom.results.segmentation import encode_segmentations
from operators.errors import UnreadableInputError
from operators.imaging.nifti import write_label_map
from operators.imaging.resampling import resample_labels_to_grid
from tests.builders.mr_series import make_series
from tests.builders.results import CONTEXT, label_maps, volume_of
from tests.builders.spine_boxes import spine_boxes


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ((0, 49, 100), "semantic"),
        ((60,), "semantic"),
        ((0, 26, 49), "semantic"),
        ((0, 20, 120), "instances"),
        ((26, 28), "instances"),
        ((101,), "instances"),
        ((0,), None),
        ((26, 100), None),
    ],
)
def test_labels_tell_a_semantic_from_an_instance_map(labels: tuple[int, ...], told: str | None):
    assert kind_of(np.array(labels)) == told


def test_labels_of_both_maps_in_one_are_refused():
    with pytest.raises(UnreadableInputError) as caught:
        kind_of(np.array([0, 20, 49]))
    assert caught.value.reasons == ("mixed_labels",)


def test_nifti_labels_come_back_as_written(tmp_path: Path):
    labels = spine_boxes().instances
    write_label_map(labels, tmp_path / "a.nii.gz")
    found = read_mask(tmp_path / "a.nii.gz")
    assert np.array_equal(found.labels_zyx, labels.labels_zyx)


def test_a_segmentation_object_gives_structures_by_name_and_instances_by_kind(tmp_path: Path):
    volume = volume_of(make_series(tmp_path / "mr"))
    semantic, instances = label_maps(volume)
    paths = tmp_path / "a_semantic.dcm", tmp_path / "a_instances.dcm"
    for dataset, path in zip(
        encode_segmentations(semantic, instances, volume, CONTEXT), paths, strict=True
    ):
        write_dataset(dataset, path)
    structures = resample_labels_to_grid(read_mask(paths[0], "semantic"), volume.grid)
    assert np.array_equal(structures.labels_zyx, semantic.labels_zyx)
    found = resample_labels_to_grid(read_mask(paths[1], "instances"), volume.grid).labels_zyx
    # Three vertebrae 2-4, three discs, four endplates (one above the sacrum), the sacrum.
    table = np.arange(300)
    table[226] = 201  # "endplates of the sacrum" has no number: the lowest free one
    assert np.array_equal(found, table[instances.labels_zyx])


def test_segments_that_are_no_structures_of_ours_are_refused(tmp_path: Path):
    volume = volume_of(make_series(tmp_path / "mr"))
    dataset, _ = encode_segmentations(*label_maps(volume), volume, CONTEXT)
    dataset.SegmentSequence[0].SegmentLabel = "Liver"
    write_dataset(dataset, tmp_path / "a_semantic.dcm")
    assert "Liver" in read_segments(tmp_path / "a_semantic.dcm")[1].values()
    with pytest.raises(UnreadableInputError) as caught:
        read_mask(tmp_path / "a_semantic.dcm", "semantic")
    assert caught.value.reasons == ("unknown_segments",)


def test_a_file_that_is_no_dicom_is_refused_by_name(tmp_path: Path):
    (tmp_path / "a_semantic.dcm").write_bytes(b"no DICOM at all")
    with pytest.raises(UnreadableInputError) as caught:
        read_mask(tmp_path / "a_semantic.dcm", "semantic")
    assert caught.value.reasons == ("unreadable_segmentation",)


def test_an_image_is_no_segmentation(tmp_path: Path):
    image = make_series(tmp_path / "mr").paths[0]
    with pytest.raises(UnreadableInputError) as caught:
        read_mask(image.rename(tmp_path / "a_semantic.dcm"), "semantic")
    assert caught.value.reasons == ("unreadable_segmentation",)


@pytest.mark.parametrize(
    "labels",
    [
        (1, 2, 100, 201, 202),  # SPIDER: 100 is its canal, 201 a disc
        (1, 2, 11, 12, 63, 64),  # TotalSpineSeg of a neck
        (20, 34),
    ],
)
def test_masks_of_another_scheme_are_not_taken_for_ours(labels: tuple[int, ...]):
    with pytest.raises(UnreadableInputError, match="say which scheme") as caught:
        kind_of(np.array(labels))
    assert caught.value.reasons == ("foreign_labels",)
