"""From raw masks to the final maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.anatomy.labels import Structure
from operators.errors import GeometryError, NoSpineFoundError, SegmentationError
from operators.imaging.nifti import read_label_map
from operators.imaging.orientation import reorient
from operators.imaging.resampling import resample_labels_to_grid
from operators.spine.postprocessing import PostprocessSettings, postprocess
from tests.builders.drawn_spine import neck_of
from tests.builders.spine_phantom import (
    BODY_VOXELS,
    LEVEL,
    PLATE_VOXELS,
    TOP,
    body_rows,
    pir_map,
    spine_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap

DEFAULT = PostprocessSettings()


def run(
    parts: NDArray[np.unsignedinteger],
    vertebrae: NDArray[np.unsignedinteger],
    how: PostprocessSettings = DEFAULT,
):
    return postprocess(pir_map(parts), pir_map(vertebrae), how)


def test_four_vertebrae_become_2_to_5_with_discs_and_plates():
    spine = spine_of(4)
    result = run(spine.parts, spine.vertebrae)
    found = np.unique(result.instances.labels_zyx).tolist()
    assert found == [0, 2, 3, 4, 5, 102, 103, 104, 202, 203, 204]
    assert np.array_equal(result.instances.labels_zyx == 3, spine.vertebrae == 2)
    assert result.warnings == ()


C1_KNOWN = PostprocessSettings(has_c1=True)


def vertebrae_in(labels: LabelMap) -> list[int]:
    return [int(n) for n in np.unique(labels.labels_zyx) if 0 < n < 26]


def test_only_a_model_that_knows_c1_numbers_it_1():
    spine = neck_of(4)
    found = run(spine.parts, spine.vertebrae, C1_KNOWN)
    assert vertebrae_in(found.instances) == [1, 2, 3, 4]
    assert found.warnings == ()  # that C1 has no body is no news
    found = run(spine.parts, spine.vertebrae)
    assert vertebrae_in(found.instances) == [2, 3, 4, 5]
    assert found.warnings == ("vertebra_without_body: 2",)


def test_a_field_without_c1_keeps_number_2_for_its_topmost_vertebra():
    spine = spine_of(3)
    assert vertebrae_in(run(spine.parts, spine.vertebrae, C1_KNOWN).instances) == [2, 3, 4]


def test_an_arch_that_the_upper_edge_cuts_is_no_c1():
    """Without the free rows above it, nobody knows whether its body lies above the image."""
    spine = neck_of(4)
    parts, vertebrae = spine.parts[:, TOP + 4 :], spine.vertebrae[:, TOP + 4 :]
    assert vertebrae_in(run(parts, vertebrae, C1_KNOWN).instances) == [2, 3, 4, 5]


@pytest.mark.parametrize("lost", [Structure.COSTAL_PROCESS_LEFT, Structure.CORPUS])
def test_without_both_processes_or_the_dens_beside_them_it_is_no_c1(lost: Structure):
    spine = neck_of(4)
    parts, vertebrae = spine.parts, spine.vertebrae
    gone = (parts == lost) & (np.arange(parts.shape[1]) < body_rows(1).start)[:, None]
    parts[gone], vertebrae[gone] = 0, 0
    assert vertebrae_in(run(parts, vertebrae, C1_KNOWN).instances) == [2, 3, 4, 5]


def test_the_sacrum_is_26_and_the_last_disc_stays_with_the_vertebra_above():
    spine = spine_of(3, sacrum=True)
    result = run(spine.parts, spine.vertebrae)
    assert np.array_equal(result.instances.labels_zyx == 26, spine.parts == Structure.SACRUM)
    assert np.unique(result.instances.labels_zyx).tolist() == [
        *(0, 2, 3, 4, 26),
        *(102, 103, 104, 202, 203, 204),
    ]
    assert (result.semantic.labels_zyx == Structure.ENDPLATE_INFERIOR).sum() == 3 * PLATE_VOXELS
    assert (result.semantic.labels_zyx == Structure.ENDPLATE_SUPERIOR).sum() == 3 * PLATE_VOXELS


def test_dense_corpus_becomes_corpus():
    spine = spine_of(2)
    parts = spine.parts
    parts[parts == Structure.CORPUS] = Structure.CORPUS_DENSE
    result = run(parts, spine.vertebrae)
    assert (result.semantic.labels_zyx == Structure.CORPUS).sum() == 2 * BODY_VOXELS


def test_a_dens_belongs_to_instance_2():
    spine = spine_of(3)
    parts, vertebrae = spine.parts, spine.vertebrae
    parts[14:18, 0:4, 12:16], vertebrae[14:18, 0:4, 12:16] = Structure.DENS, 1
    assert (run(parts, vertebrae).instances.labels_zyx[14:18, 0:4, 12:16] == 2).all()


def test_a_dens_stays_with_its_vertebra_where_c1_is_known_and_not_seen():
    spine = spine_of(3)
    parts, vertebrae = spine.parts, spine.vertebrae
    parts[14:18, 20:24, 12:16], vertebrae[14:18, 20:24, 12:16] = Structure.DENS, 2
    found = run(parts, vertebrae, C1_KNOWN).instances.labels_zyx[14:18, 20:24, 12:16]
    assert (found == 3).all()


@settings(max_examples=8, deadline=None)
@given(st.permutations([1, 2, 3, 4]))
def test_the_order_of_merging_makes_no_difference(order: list[int]):
    spine = spine_of(4)
    vertebrae = spine.vertebrae
    vertebrae[:, ::5] = 0  # gaps that neighbours compete for
    expected = run(spine.parts, vertebrae)
    shuffled = np.array([0, *order], np.uint16)[vertebrae]
    result = run(spine.parts, shuffled)
    assert np.array_equal(result.instances.labels_zyx, expected.instances.labels_zyx)
    assert np.array_equal(result.semantic.labels_zyx, expected.semantic.labels_zyx)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_label_is_invented_and_every_vertebra_voxel_has_an_instance(seed: int):
    rng = np.random.default_rng(seed)
    spine = spine_of(3, sacrum=True)
    parts, vertebrae = spine.parts, spine.vertebrae
    for _ in range(12):
        corner = [int(rng.integers(0, size - 6)) for size in parts.shape]
        box = tuple(slice(c, c + int(rng.integers(2, 7))) for c in corner)
        parts[box] = rng.choice([0, 41, 45, 49, 62, 100])
        vertebrae[box] = rng.integers(0, 4)
    result = run(parts, vertebrae)
    semantic, instances = result.semantic.labels_zyx, result.instances.labels_zyx
    known = {0, 26, *(base + n for base in (0, 100, 200) for n in range(1, 5))}
    assert set(np.unique(instances)) <= known
    changed = semantic != parts
    assert set(np.unique(semantic[changed])) <= {0, 52, 53}
    assert set(np.unique(parts[changed & (semantic > 0)])) <= {62}
    assert np.array_equal(np.isin(semantic, range(40, 52)), (instances > 0) & (instances < 26))


@pytest.mark.parametrize("codes", [("L", "P", "S"), ("R", "A", "S"), ("P", "S", "L")])
def test_orientation_makes_no_difference(codes: tuple[str, str, str]):
    spine = spine_of(3, sacrum=True)
    expected = run(spine.parts, spine.vertebrae)
    turned = postprocess(reorient(spine.semantic, codes), reorient(spine.instances, codes), DEFAULT)
    for ours, theirs in (
        (turned.semantic, expected.semantic),
        (turned.instances, expected.instances),
    ):
        assert np.array_equal(reorient(ours, ("P", "I", "R")).labels_zyx, theirs.labels_zyx)


def test_inputs_are_not_changed():
    spine = spine_of(3)
    run(spine.semantic.labels_zyx, spine.instances.labels_zyx)
    assert np.array_equal(spine.parts, spine_of(3).parts)
    assert np.array_equal(spine.vertebrae, spine_of(3).vertebrae)


def test_a_vertebra_without_body_is_named_in_a_warning():
    spine = spine_of(3)
    parts = spine.parts
    parts[(spine.vertebrae == 1) & (parts == Structure.CORPUS)] = Structure.ARCUS
    assert "vertebra_without_body: 2" in run(parts, spine.vertebrae).warnings


def test_a_sliver_that_owns_the_next_arch_is_numbered_by_its_body():
    drawn = spine_of(4)
    parts, vertebrae = drawn.parts, drawn.vertebrae
    is_body = parts == Structure.CORPUS
    top, second = (np.flatnonzero((is_body & (vertebrae == n)).any(axis=(0, 2))) for n in (1, 2))
    sliver = (vertebrae == 1) & is_body
    sliver[:, top[0] + 1 :] = False
    sliver[: np.flatnonzero(sliver.any(axis=(1, 2)))[-2]] = False
    low_arch = (vertebrae == 2) & ~is_body
    low_arch[:, : second[len(second) // 2]] = False
    gone = np.isin(vertebrae, (1, 2)) & ~sliver & ~low_arch & ~((vertebrae == 2) & is_body)
    parts[gone], vertebrae[gone] = 0, 0
    vertebrae[low_arch] = 1
    semantic, instances = (pir_map(array[:, top[0] :]) for array in (parts, vertebrae))
    made = postprocess(semantic, instances, PostprocessSettings())
    bodies = np.where(made.semantic.labels_zyx == Structure.CORPUS, made.instances.labels_zyx, 0)
    order = [int(bodies[:, row].max()) for row in np.flatnonzero(bodies.any(axis=(0, 2)))]
    assert order == sorted(order)
    assert set(order) == {2, 3, 4, 5}


def test_different_grids_are_refused():
    spine = spine_of(2)
    with pytest.raises(GeometryError):
        postprocess(spine.semantic, pir_map(spine.vertebrae, (3.0, 1.5, 1.5)), DEFAULT)


def test_no_instance_is_no_spine():
    spine = spine_of(2)
    with pytest.raises(NoSpineFoundError):
        run(spine.parts, np.zeros_like(spine.vertebrae))
    with pytest.raises(NoSpineFoundError):
        run(np.zeros_like(spine.parts), spine.vertebrae)


def test_25_vertebrae_below_number_2_are_refused_because_26_is_the_sacrum():
    parts = np.zeros((6, 25 * LEVEL, 6), np.uint8)
    vertebrae = np.zeros(parts.shape, np.uint16)
    for level in range(25):
        rows = slice(level * LEVEL, level * LEVEL + 16)
        parts[1:5, rows, 1:5], vertebrae[1:5, rows, 1:5] = Structure.CORPUS, level + 1
    with pytest.raises(SegmentationError) as caught:
        run(parts, vertebrae)
    assert caught.value.reasons == ("too_many_vertebrae",)
    assert run(parts, np.where(vertebrae > 24, 0, vertebrae)).instances.labels_zyx.max() == 25


def dice(one: NDArray[np.unsignedinteger], other: NDArray[np.unsignedinteger], label: int):
    ours, theirs = one.labels_zyx == label, other.labels_zyx == label
    return 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())


def oracle_case(root: Path, case: str):
    """Semantic and raw instance map on the input grid; SPINEPS's final maps."""
    if case.startswith("gtsem"):
        stem = f"sub-{case.removeprefix('gtsem_')}_mod-T2w_seg"
        folder = root / "spineps_outputs" / case
        names = [f"{stem}-{n}_msk.nii.gz" for n in ("spine-raw", "vert-raw", "spine", "vert")]
    else:
        folder = root / "stages" / case
        names = [f"{n}.nii.gz" for n in ("d_cleaned", "e_instance_raw", "f_semantic", "f_instance")]
    semantic, raw, final_semantic, final = (read_label_map(folder / name) for name in names)
    return (
        resample_labels_to_grid(semantic, final.grid),
        resample_labels_to_grid(raw, final.grid),
        final_semantic,
        final,
    )


@pytest.mark.parametrize("case", ["gtsem_sample", "gtsem_phantom8", "gtsem_phantom8sacrum"])
def test_clean_masks_end_as_in_spineps_voxel_for_voxel(shared_data: Path, case: str):
    semantic, raw, final_semantic, final = oracle_case(shared_data / "data" / "oracle", case)
    result = postprocess(semantic, raw, DEFAULT)
    assert np.array_equal(result.semantic.labels_zyx, final_semantic.labels_zyx)
    assert np.array_equal(result.instances.labels_zyx, final.labels_zyx)


@pytest.mark.parametrize("case", ["sample1", "sample3", "clin8"])
def test_messy_masks_end_with_the_ids_of_spineps_and_dice_0_99(shared_data: Path, case: str):
    semantic, raw, final_semantic, final = oracle_case(shared_data / "data" / "oracle", case)
    result = postprocess(semantic, raw, DEFAULT)
    ids = np.unique(final.labels_zyx)[1:]
    assert np.unique(result.instances.labels_zyx)[1:].tolist() == ids.tolist()
    assert min(dice(result.instances, final, label) for label in ids) >= 0.99
    plates = {52, 53, 62}  # made right on purpose
    labels = set(np.unique(final_semantic.labels_zyx)) - {0} - plates
    assert min(dice(result.semantic, final_semantic, label) for label in labels) >= 0.99


@pytest.mark.parametrize("case", ["sample1", "clin8", "gtsem_phantom8sacrum"])
def test_no_endplate_voxel_is_erased_where_spineps_erases_some(shared_data: Path, case: str):
    semantic, raw, _, _ = oracle_case(shared_data / "data" / "oracle", case)
    result = postprocess(semantic, raw, DEFAULT)
    before = semantic.labels_zyx == Structure.ENDPLATE
    assert np.array_equal(np.isin(result.semantic.labels_zyx, (52, 53, 62)), before)
