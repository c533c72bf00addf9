"""A vertebra whose body lies above the image is never given to the one below."""

from __future__ import annotations

import numpy as np
import pytest

from operators.anatomy.labels import POSTERIOR_ELEMENTS, Structure
from operators.imaging.orientation import reorient
from operators.imaging.volume import LabelMap
from operators.spine.atlas import is_cervical
from operators.spine.bodiless import without_bodiless
from operators.spine.cut_above import unclaimed_above, upper_edge
from operators.spine.postprocessing import PostprocessSettings, postprocess
from tests.builders.spine_phantom import pir_map

MM = 1.5
SETTINGS = PostprocessSettings(has_c1=True)


def spine(*, body_from: int = 14, depth: int = 22, arch: bool = True) -> tuple[LabelMap, LabelMap]:
    """Two vertebrae and, cut by the upper edge, the spinous process of a third; [R, I, P] 1.5 mm.

    The process (instance 1) touches the spinous process of the vertebra below it (instance 2).
    """
    parts = np.zeros((16, 80, 60), np.uint8)
    vertebrae = np.zeros(parts.shape, np.uint16)
    parts[3:13, :, 30:36] = Structure.CANAL
    for number, top in ((2, body_from), (3, body_from + 26)):
        for rows, columns, part in (
            (slice(top, top + 18), slice(4, 4 + depth), Structure.CORPUS),
            (slice(top + 12, top + 16), slice(4 + depth, 40), Structure.ARCUS),
            (slice(top + 10, top + 24), slice(40, 52), Structure.SPINOUS_PROCESS),
        ):
            if part == Structure.CORPUS or arch or number > 2:
                parts[3:13, rows, columns], vertebrae[3:13, rows, columns] = part, number
        parts[3:13, top + 19 : top + 25, 4 : 4 + depth] = Structure.DISC
    parts[3:13, : body_from + 10, 40:52] = Structure.SPINOUS_PROCESS
    vertebrae[3:13, : body_from + 10, 40:52] = 1
    return pir_map(parts, (MM, MM, MM)), pir_map(vertebrae, (MM, MM, MM))


def posterior_of(labels: LabelMap, parts: LabelMap, rows: slice) -> set[int]:
    inside = np.isin(parts.labels_zyx, POSTERIOR_ELEMENTS)[:, rows]
    return set(np.unique(labels.labels_zyx[:, rows][inside]).tolist())


def test_what_the_network_tells_apart_stays_a_vertebra_of_its_own() -> None:
    parts, vertebrae = spine()
    kept, warnings = without_bodiless(parts, vertebrae)
    assert kept is vertebrae
    assert warnings == ()
    result = postprocess(parts, kept, SETTINGS)
    assert posterior_of(result.instances, parts, slice(0, 24)) == {2}
    assert posterior_of(result.instances, parts, slice(24, 38)) == {3}
    assert "vertebra_without_body: 2" in result.warnings


def test_what_nobody_claims_stays_without_a_vertebra_and_is_counted() -> None:
    parts, vertebrae = spine()
    unclaimed = vertebrae.with_labels(
        np.where(vertebrae.labels_zyx == 1, 0, vertebrae.labels_zyx).astype(np.uint16)
    )
    result = postprocess(parts, unclaimed, SETTINGS)
    assert posterior_of(result.instances, parts, slice(0, 22)) == {0}
    assert posterior_of(result.instances, parts, slice(24, 38)) == {2}
    assert f"posterior_voxels_of_no_vertebra: {10 * 24 * 12}" in result.warnings
    assert np.array_equal(
        np.isin(result.semantic.labels_zyx, POSTERIOR_ELEMENTS),
        np.isin(parts.labels_zyx, POSTERIOR_ELEMENTS),
    )


@pytest.mark.parametrize(("rows", "is_marked"), [(9, False), (10, True)])
def test_own_processes_may_rise_15_mm_above_the_topmost_body(rows: int, *, is_marked: bool) -> None:
    parts, vertebrae = spine(body_from=rows)
    unclaimed = vertebrae.with_labels(
        np.where(vertebrae.labels_zyx == 1, 0, vertebrae.labels_zyx).astype(np.uint16)
    )
    assert unclaimed_above(parts, unclaimed).any() == is_marked


def test_the_only_arch_above_a_body_without_one_loses_its_number() -> None:
    """It may be that body's own: nothing speaks for a vertebra above it."""
    kept, warnings = without_bodiless(*spine(arch=False))
    assert np.unique(kept.labels_zyx).tolist() == [0, 2, 3]
    assert warnings == ("instances_without_body: 1",)


def test_a_scrap_below_the_upper_edge_loses_its_number() -> None:
    parts, vertebrae = spine()
    for labels in (parts.labels_zyx, vertebrae.labels_zyx):
        labels[:, :2, 40:52] = 0
    kept, _ = without_bodiless(parts, vertebrae)
    assert np.unique(kept.labels_zyx).tolist() == [0, 2, 3]


@pytest.mark.parametrize("codes", [("P", "I", "R"), ("L", "S", "A"), ("I", "P", "L")])
def test_the_upper_edge_is_found_in_every_orientation(codes: tuple[str, str, str]) -> None:
    parts, _ = spine()
    turned = reorient(parts, codes)
    edge = upper_edge(turned.labels_zyx.shape, turned.affine_lps)
    marked = LabelMap(edge.astype(np.uint8), turned.affine_lps)
    back = reorient(marked, ("P", "I", "R")).labels_zyx
    assert back[:, :2].all()
    assert not back[:, 2:].any()


@pytest.mark.parametrize(("depth", "expected"), [(13, True), (14, False)])
def test_a_cervical_body_is_at_most_20_mm_deep(depth: int, *, expected: bool) -> None:
    parts, vertebrae = spine(depth=depth)  # 19.5 and 21 mm
    arrays = parts.labels_zyx, vertebrae.labels_zyx
    assert is_cervical(*arrays, 2, (MM, MM, MM)) is expected
    assert not is_cervical(*arrays, 1, (MM, MM, MM))
