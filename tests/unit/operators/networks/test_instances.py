from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.errors import ModelUnusableError, SegmentationError
from operators.imaging.nifti import read_label_map
from operators.imaging.volume import LabelMap
from operators.networks.instances import load_instance_model
from operators.spine.instance_phase import InstanceSettings, segment_vertebrae
from tests.builders.unet3d_checkpoint import random_unet3d, write_instance_model

if TYPE_CHECKING:
    from pathlib import Path

# PIR: k grows to the right (-x), j inferiorly (-z), i posteriorly (+y).
_PIR_2_25_MM = np.array(
    [[-3.3, 0, 0, 0], [0, 0, 2.25, 0], [0, -2.25, 0, 0], [0, 0, 0, 1]], dtype=np.float64
)


def _column() -> LabelMap:
    labels = np.zeros((14, 60, 30), dtype=np.uint16)
    for top in (4, 18, 32, 46):
        labels[3:11, top : top + 9, 6:16] = 49
        labels[5:9, top + 2 : top + 8, 18:24] = 41
    labels[:, :, 16:18] = 61
    return LabelMap(labels, _PIR_2_25_MM)


def test_a_published_folder_wrapped_in_another_one_is_loaded(tmp_path: Path):
    write_instance_model(tmp_path / "instance.zip" / "inner", random_unet3d())

    model = load_instance_model(tmp_path / "instance.zip", precision="fp32")

    assert model.config.cutout_size == (32, 40, 16)
    assert model.network.shape.channels_in == 10
    assert model.network.profile == "cpu-fp32"


def test_each_centre_gets_three_masks_inside_the_map_that_do_not_overlap(tmp_path: Path):
    model = load_instance_model(write_instance_model(tmp_path / "m", random_unet3d()))
    labels = _column()
    seen: list[tuple[int, int]] = []

    predictions = model.predict(
        labels,
        [(7.0, 50.0, 11.0), (7.0, 8.0, 11.0)],
        lambda done, total: seen.append((done, total)),
    )

    assert seen == [(1, 2), (2, 2)]
    assert [len(prediction) for prediction in predictions] == [3, 3]
    for prediction in predictions:
        votes = np.zeros(labels.labels_zyx.shape, dtype=int)
        for mask in filter(None, prediction):
            assert mask.mask_zyx.any()
            votes[mask.box] += mask.mask_zyx
        assert votes.max() <= 1


def test_the_answer_for_a_centre_does_not_depend_on_the_others(tmp_path: Path):
    model = load_instance_model(write_instance_model(tmp_path / "m", random_unet3d()))
    centres = [(7.0, 50.0, 11.0), (7.0, 22.0, 11.0)]

    both = model.predict(_column(), centres)
    alone = model.predict(_column(), centres[1:])

    for a, b in zip(both[1], alone[0], strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.box == b.box
            assert np.array_equal(a.mask_zyx, b.mask_zyx)


def test_a_map_in_another_orientation_is_refused_by_name(tmp_path: Path):
    model = load_instance_model(write_instance_model(tmp_path / "m", random_unet3d()))
    labels = LabelMap(_column().labels_zyx, np.diag([1.0, 1, 1, 1]))

    with pytest.raises(SegmentationError) as caught:
        model.predict(labels, [])

    assert caught.value.reasons == ("orientation_not_pir",)


def test_a_cutout_of_36_voxels_is_refused_by_name(tmp_path: Path):
    folder = write_instance_model(tmp_path / "m", random_unet3d(), cutout_size=(32, 36, 16))

    with pytest.raises(ModelUnusableError) as caught:
        load_instance_model(folder)

    assert caught.value.reasons == ("cutout_size_not_divisible",)


def test_a_network_with_5_classes_is_refused_by_name(tmp_path: Path):
    folder = write_instance_model(tmp_path / "m", random_unet3d(classes=5))

    with pytest.raises(ModelUnusableError) as caught:
        load_instance_model(folder)

    assert caught.value.reasons == ("instance_classes_not_four",)


def test_no_weights_and_two_weights_are_refused_by_name(tmp_path: Path):
    folder = write_instance_model(tmp_path / "m", random_unet3d())
    first = folder / "checkpoints" / "epoch=1-weights.ckpt"

    (folder / "last-weights.ckpt").write_bytes(first.read_bytes())
    with pytest.raises(ModelUnusableError, match="2 ") as two:
        load_instance_model(folder)
    (folder / "last-weights.ckpt").unlink()
    first.unlink()
    with pytest.raises(ModelUnusableError, match="0 ") as none:
        load_instance_model(folder)

    assert two.value.reasons == ("several_weights",)
    assert none.value.reasons == ("weights_missing",)


class _Hostile:
    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return type(self._target).touch, (self._target,)


def test_a_hostile_checkpoint_is_not_run(tmp_path: Path):
    folder = write_instance_model(tmp_path / "m", random_unet3d())
    (weights,) = folder.rglob("*.ckpt")
    trace = tmp_path / "it_ran"
    weights.write_bytes(pickle.dumps({"state_dict": _Hostile(trace)}))

    with pytest.raises(ModelUnusableError):
        load_instance_model(folder)

    assert not trace.exists()


@pytest.mark.parametrize(("precision", "smallest_dice"), [("fp32", 0.999), ("bf16", 0.99)])
@pytest.mark.parametrize("case", ["sample1", "sample3", "clin8"])
def test_oracle_instances_from_the_cleaned_map_keep_ids_and_shape(
    shared_data: Path, case: str, precision: str, smallest_dice: float
):
    oracle = shared_data / "data" / "oracle"
    model = load_instance_model(oracle / "models" / "instance_tiny", precision=precision)
    settings = InstanceSettings(
        spacing_zyx_mm=model.config.smallest_spacing_zyx_mm,
        corpus_size_cleaning=model.config.corpus_size_cleaning,
        vert_size_threshold=model.config.vert_size_threshold,
    )
    semantic = read_label_map(oracle / "stages" / case / "d_cleaned.nii.gz")
    expected = read_label_map(oracle / "stages" / case / "e_instance_raw.nii.gz").labels_zyx

    result = segment_vertebrae(semantic, model, settings).instances.labels_zyx

    ids = np.unique(expected)
    assert np.array_equal(np.unique(result), ids)
    for number in ids[1:]:
        ours, theirs = result == number, expected == number
        dice = 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())
        assert dice >= smallest_dice, number
