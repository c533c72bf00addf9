"""Phase 2 as a whole, with a stand-in for the network and, on the oracle, with the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.errors import NoSpineFoundError
from operators.imaging.nifti import read_label_map
from operators.imaging.orientation import reorient
from operators.networks.instances import load_instance_model
from operators.spine.instance_phase import InstanceSettings, segment_vertebrae
from tests.builders.spine_phantom import TruthPredictor, pir_map, spine_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap
    from operators.spine.instance_merging import Triple

ISOTROPIC = InstanceSettings(spacing_zyx_mm=(1.5, 1.5, 1.5))


class SilentPredictor:
    """A network that finds nothing."""

    def predict(
        self,
        labels: LabelMap,  # the Protocol's signature
        centres_zyx: Sequence[tuple[float, float, float]],
        progress: Callable[[int, int], None] | None = None,  # same
    ) -> list[Triple]:
        return [(None, None, None) for _ in centres_zyx]


def same_partition(one: NDArray[np.unsignedinteger], other: NDArray[np.unsignedinteger]):
    """Whether two maps tell the same voxels apart, whatever the numbers."""
    pairs = {
        (int(a), int(b)) for a, b in np.unique(np.stack([one.ravel(), other.ravel()]), axis=1).T
    }
    return len(pairs) == len(np.unique(one)) == len(np.unique(other))


def test_with_perfect_predictions_five_vertebrae_come_back_exactly():
    spine = spine_of(5)
    result = segment_vertebrae(spine.semantic, TruthPredictor(spine.instances), ISOTROPIC)
    assert same_partition(result.instances.labels_zyx, spine.vertebrae)
    assert result.warnings == ()


def test_numbers_are_1_to_n():
    spine = spine_of(5)
    result = segment_vertebrae(spine.semantic, TruthPredictor(spine.instances), ISOTROPIC)
    assert np.unique(result.instances.labels_zyx).tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("codes", [("L", "P", "S"), ("R", "A", "S"), ("P", "S", "L")])
def test_orientation_of_the_input_makes_no_difference(codes: tuple[str, str, str]):
    spine = spine_of(4)
    turned = reorient(spine.semantic, codes)
    result = segment_vertebrae(turned, TruthPredictor(spine.instances), ISOTROPIC)
    assert same_partition(result.instances.labels_zyx, spine.vertebrae)


def test_the_result_lies_on_the_models_grid_over_the_whole_field_of_view():
    spine = spine_of(4)
    settings = InstanceSettings(spacing_zyx_mm=(3.0, 2.0, 2.0))
    result = segment_vertebrae(spine.semantic, TruthPredictor(spine.instances), settings)
    assert result.instances.spacing_zyx_mm == pytest.approx((3.0, 2.0, 2.0))
    assert result.instances.labels_zyx.shape == (16, 75, 42)
    volume = (result.instances.labels_zyx > 0).sum() * 12.0
    assert volume == pytest.approx((spine.vertebrae > 0).sum() * 3.375, rel=0.08)


def test_centres_go_to_the_network_lowest_first_with_progress():
    spine = spine_of(4)
    predictor, seen = TruthPredictor(spine.instances), []
    segment_vertebrae(
        spine.semantic, predictor, ISOTROPIC, lambda done, total: seen.append((done, total))
    )
    heights = [centre[1] for centre in predictor.centres]
    assert heights == sorted(heights, reverse=True)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_two_bodies_are_segmented_with_a_warning():
    spine = spine_of(2)
    result = segment_vertebrae(spine.semantic, TruthPredictor(spine.instances), ISOTROPIC)
    assert result.warnings == ("few_vertebral_bodies: 2",)
    assert same_partition(result.instances.labels_zyx, spine.vertebrae)


@pytest.mark.parametrize("keep", [(), (Structure.DISC, Structure.CANAL)])
def test_without_label_49_there_is_no_spine(keep: tuple[int, ...]):
    spine = spine_of(3)
    parts = spine.parts
    parts[~np.isin(parts, keep)] = 0
    with pytest.raises(NoSpineFoundError) as caught:
        segment_vertebrae(pir_map(parts), TruthPredictor(spine.instances), ISOTROPIC)
    assert caught.value.reasons == ("no_vertebral_body",)


def test_a_network_that_finds_nothing_is_no_spine():
    with pytest.raises(NoSpineFoundError) as caught:
        segment_vertebrae(spine_of(3).semantic, SilentPredictor(), ISOTROPIC)
    assert caught.value.reasons == ("no_vertebra_instance",)


@pytest.mark.parametrize(
    ("spacing", "bodies", "pieces"),
    [((1.65, 0.75, 0.75), 100, 250), ((3.3, 2.25, 2.25), 100, 250)],
)
def test_thresholds_count_voxels_of_a_fixed_grid(
    spacing: tuple[float, float, float], bodies: int, pieces: int
):
    settings = InstanceSettings(spacing_zyx_mm=spacing)
    assert (settings.smallest_body_voxels, settings.smallest_piece_voxels) == (bodies, pieces)


def test_thresholds_of_a_finer_grid_shrink_with_the_voxel_volume_but_not_below_37_mm3():
    settings = InstanceSettings(
        spacing_zyx_mm=(2.0, 2.0, 2.0), threshold_spacing_zyx_mm=(0.5, 0.5, 0.5)
    )
    assert settings.smallest_body_voxels == 5  # 12.5 mm^3 asked for, 37.1 mm^3 at least


ORACLE = ["sample1", "clin8", "gtsem_sample", "gtsem_phantom8sacrum"]


def oracle_masks(root: Path, case: str):
    """Cleaned semantic map and SPINEPS's raw instances."""
    if case.startswith("gtsem"):
        stem = f"sub-{case.removeprefix('gtsem_')}_mod-T2w_seg"
        folder = root / "spineps_outputs" / case
        names = f"{stem}-spine-raw_msk.nii.gz", f"{stem}-vert-raw_msk.nii.gz"
    else:
        folder = root / "stages" / case
        names = "d_cleaned.nii.gz", "e_instance_raw.nii.gz"
    return tuple(read_label_map(folder / name) for name in names)


@pytest.mark.parametrize("case", ORACLE)
def test_raw_instances_reach_dice_0_99_against_spineps(shared_data: Path, case: str):
    root = shared_data / "data" / "oracle"
    semantic, expected = oracle_masks(root, case)
    model = load_instance_model(root / "models" / "instance_tiny")
    settings = InstanceSettings(spacing_zyx_mm=(3.3, 2.25, 2.25))
    ours = segment_vertebrae(semantic, model, settings).instances.labels_zyx
    theirs = expected.labels_zyx
    assert ours.max() == theirs.max()
    # The numbers are the order of merging; equal agreements may change places.
    for number in range(1, int(theirs.max()) + 1):
        match = np.bincount(ours[theirs == number]).argmax()
        shared = ((ours == match) & (theirs == number)).sum()
        assert 2 * shared / ((ours == match).sum() + (theirs == number).sum()) >= 0.99
