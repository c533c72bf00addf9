"""What is measured of vertebrae: boxes of known sizes, and what a border cuts."""

from __future__ import annotations

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.imaging.orientation import reorient
from operators.imaging.volume import LabelMap
from operators.spine.levels.measures import measure_spine
from tests.builders.spine_boxes import PITCH, affine_rip, spine_boxes, without

SLICES, ROWS, COLUMNS = 10, 12, 20


def boxes(levels: tuple[int, ...] = (2, 3, 4, 5)) -> tuple[LabelMap, LabelMap]:
    masks = spine_boxes(levels)
    assert masks.semantic is not None
    assert masks.instances is not None
    return masks.semantic, masks.instances


def with_part(
    maps: tuple[LabelMap, LabelMap], part: int, owner: int, box: tuple[slice, slice, slice]
) -> tuple[LabelMap, LabelMap]:
    semantic, instances = (labels.labels_zyx.copy() for labels in maps)
    semantic[box], instances[box] = part, owner
    return maps[0].with_labels(semantic), maps[1].with_labels(instances)


def test_bodies_have_their_sizes() -> None:
    spine = measure_spine(*boxes())
    assert [v.vertebra for v in spine.vertebrae] == [2, 3, 4, 5]
    for vertebra in spine.vertebrae:
        figures = vertebra.figures
        # n voxels in a row have the variance (n^2 - 1) / 12 of their centres.
        assert np.exp(figures["height"]) == pytest.approx(np.sqrt(ROWS**2 - 1))
        assert np.exp(figures["depth"]) == pytest.approx(np.sqrt(COLUMNS**2 - 1))
        assert np.exp(figures["width"]) == pytest.approx(3.0 * np.sqrt(6**2 - 1))
        assert figures["tilt"] == pytest.approx(0.0, abs=1e-6)
    assert np.linalg.norm(
        spine.vertebrae[1].centre_lps - spine.vertebrae[0].centre_lps
    ) == pytest.approx(PITCH)


def test_an_arch_below_a_cut_body_still_stands_above_it_as_its_number_says() -> None:
    semantic, instances = boxes((2, 3, 4))
    body = (instances.labels_zyx == 2) & (semantic.labels_zyx == Structure.CORPUS)
    middle = int(np.argwhere(instances.labels_zyx == 3)[:, 1].mean())
    parts, owners = semantic.labels_zyx.copy(), instances.labels_zyx.copy()
    owners[instances.labels_zyx == 2], parts[body] = 0, 0
    parts[2:5, middle : middle + 6, 0:3], owners[2:5, middle : middle + 6, 0:3] = (
        Structure.SPINOUS_PROCESS,
        2,
    )
    spine = measure_spine(semantic.with_labels(parts), instances.with_labels(owners))
    assert [v.vertebra for v in spine.vertebrae] == [2, 3, 4]
    assert [v.has_body for v in spine.vertebrae] == [False, True, True]
    heights = [float(v.centre_lps[2]) for v in spine.vertebrae]
    assert heights[0] < heights[1]


def test_orientation_of_the_arrays_changes_nothing() -> None:
    maps = boxes()
    turned = tuple(reorient(labels, ("L", "S", "A")) for labels in maps)
    first, second = measure_spine(*maps), measure_spine(*turned)
    for a, b in zip(first.vertebrae, second.vertebrae, strict=True):
        assert a.figures == pytest.approx(b.figures)
        assert a.centre_lps == pytest.approx(b.centre_lps)


def test_a_tilted_spine_has_tilted_vertebrae_of_the_same_size() -> None:
    semantic, instances = boxes()
    angle = np.radians(20.0)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    maps = (LabelMap(x.labels_zyx, turn @ x.affine_lps) for x in (semantic, instances))
    upright, tilted = measure_spine(semantic, instances), measure_spine(*maps)
    for a, b in zip(upright.vertebrae, tilted.vertebrae, strict=True):
        assert b.figures["tilt"] == pytest.approx(20.0)
        assert b.figures["height"] == pytest.approx(a.figures["height"])
        assert b.figures["depth"] == pytest.approx(a.figures["depth"])


def test_a_body_that_the_border_cuts_is_not_measured() -> None:
    semantic, instances = (
        LabelMap(labels.labels_zyx[:, 10:], labels.affine_lps) for labels in boxes()
    )
    top, *others = measure_spine(semantic, instances).vertebrae
    assert top.figures == {}
    assert all("height" in v.figures for v in others)


@pytest.mark.parametrize(("rows", "is_tall"), [(32, False), (34, True)])
def test_a_cut_body_is_tall_if_more_of_it_is_in_view_than_most_bodies_have(
    rows: int, *, is_tall: bool
) -> None:
    # 20 mm deep: 1.6 times that are 32 mm.
    box = slice(2, 8), slice(0, rows), slice(10, 30)
    maps = with_part(with_part(boxes(), 0, 0, (slice(None), slice(0, 50), slice(None))), 49, 2, box)
    (top, *_) = measure_spine(*maps).vertebrae
    assert set(top.figures) == ({"tall"} if is_tall else set())
    if is_tall:
        depth = np.sqrt(COLUMNS**2 - 1)
        assert np.exp(top.figures["tall"]) == pytest.approx((rows - 1) / depth)


def test_a_width_that_the_sides_cut_is_left_out() -> None:
    semantic, instances = (
        LabelMap(labels.labels_zyx[3:7], labels.affine_lps) for labels in boxes()
    )
    figures = measure_spine(semantic, instances).vertebrae[0].figures
    assert "width" not in figures
    assert "height" in figures


def test_fine_voxels_are_skipped_over() -> None:
    semantic, instances = boxes()
    fine = []
    for labels in (semantic, instances):
        affine = labels.affine_lps @ np.diag([1.0, 0.25, 0.25, 1.0])
        fine.append(LabelMap(labels.labels_zyx.repeat(4, axis=1).repeat(4, axis=2), affine))
    coarse, skipped = measure_spine(semantic, instances), measure_spine(fine[0], fine[1])
    for a, b in zip(coarse.vertebrae, skipped.vertebrae, strict=True):
        assert a.figures == pytest.approx(b.figures)


def test_a_missing_vertebra_leaves_a_place_free() -> None:
    masks = without(spine_boxes((2, 3, 4, 5)), 4)
    assert masks.semantic is not None
    assert masks.instances is not None
    spine = measure_spine(masks.semantic, masks.instances)
    assert [v.vertebra for v in spine.vertebrae] == [2, 3, 5]
    assert spine.places == (0, 1, 3)


def test_a_gap_holds_as_many_bones_as_its_length_lets_expect() -> None:
    maps = boxes((2, 3, 4, 5, 6, 7))
    kept = ~np.isin(maps[1].labels_zyx, (4, 5))
    semantic, instances = (x.with_labels(np.where(kept, x.labels_zyx, 0)) for x in maps)
    assert measure_spine(semantic, instances).places == (0, 1, 4, 5)


@pytest.mark.parametrize(("vertebra", "places"), [(4, (0, 1)), (5, (0, 2))])
def test_the_bone_below_a_body_with_a_dens_is_expected_below_its_base(
    vertebra: int, places: tuple[int, ...]
) -> None:
    """C2 from row 4 to row 40, 36 mm high; the next body, 12 mm high, is at row 50 or at row 72."""
    maps = with_part(boxes(), 0, 0, (slice(None), slice(0, 50), slice(None)))
    maps = with_part(maps, Structure.CORPUS, 2, (slice(2, 8), slice(4, 40), slice(10, 30)))
    kept = np.isin(maps[1].labels_zyx, (2, vertebra))
    semantic, instances = (x.with_labels(np.where(kept, x.labels_zyx, 0)) for x in maps)
    assert measure_spine(semantic, instances).places == places


@pytest.mark.parametrize(
    ("upper", "places"),
    [
        pytest.param(4, (0, 1, 2, 4, 5), id="in the row"),
        pytest.param(3, (0, 1, 3, 4, 5), id="below one as deep as itself"),
        pytest.param(2, (0, 1, 2, 3, 4), id="at the top, where C2 is as high"),
    ],
)
def test_a_body_as_high_as_two_takes_two_places(upper: int, places: tuple[int, ...]) -> None:
    semantic, instances = boxes((2, 3, 4, 5, 6, 7))
    owners = instances.labels_zyx
    both = instances.with_labels(np.where(owners == upper + 1, upper, owners))
    assert measure_spine(semantic, both).places == places


@pytest.mark.parametrize(("rows", "places"), [(36, (0, 1, 2)), (70, (0, 1, 3))])
def test_c2_below_a_piece_of_c1_is_one_with_its_dens_and_two_with_c3(
    rows: int, places: tuple[int, ...]
) -> None:
    """The next body is 20 mm deep, and C2's limit 63 mm."""
    maps = with_part(boxes((4, 5, 6, 7)), 0, 0, (slice(None), slice(0, 94 - PITCH), slice(None)))
    last = 94 - PITCH - 2
    axis = slice(2, 8), slice(max(last - rows, 0), last), slice(10, 30)
    maps = with_part(maps, Structure.CORPUS, 3, axis)
    maps = tuple(
        LabelMap(np.pad(m.labels_zyx, ((0, 0), (20, 0), (0, 0))), m.affine_lps) for m in maps
    )
    maps = with_part(maps, Structure.CORPUS, 2, (slice(2, 8), slice(4, 10), slice(8, 16)))
    assert measure_spine(*maps).places == places


def test_an_arch_above_does_not_turn_the_axes_of_a_body() -> None:
    maps = boxes((2, 3, 4))
    arch = slice(2, 8), slice(0, 4), slice(50, 58)
    owners = maps[1].labels_zyx.copy()
    owners[owners == 2] = 0
    maps = with_part((maps[0], maps[1].with_labels(owners)), Structure.ARCUS, 2, arch)
    above, top, _ = measure_spine(*maps).vertebrae
    assert not above.has_body
    assert top.figures["tilt"] == pytest.approx(0.0, abs=1e-6)


def test_the_sacrum_counts_where_the_next_vertebra_would_be() -> None:
    maps = boxes()
    low = slice(maps[0].labels_zyx.shape[1] - 12, None)
    near = with_part(maps, Structure.SACRUM, 26, (slice(1, 9), low, slice(10, 30)))
    high = with_part(maps, Structure.SACRUM, 26, (slice(1, 9), slice(0, 6), slice(10, 30)))
    scrap = with_part(maps, Structure.SACRUM, 26, (slice(4, 5), low, slice(10, 20)))
    assert measure_spine(*near).has_sacrum
    assert not any(measure_spine(*other).has_sacrum for other in (maps, high, scrap))


@pytest.mark.parametrize(("gap_mm", "counts"), [(35, True), (45, False)])
def test_a_tall_body_and_disc_leave_room_above_the_sacrum_but_a_missing_one_more(
    gap_mm: int, *, counts: bool
) -> None:
    semantic, instances = (
        LabelMap(np.pad(labels.labels_zyx, ((0, 0), (0, 40), (0, 0))), labels.affine_lps)
        for labels in boxes()
    )
    centre = 6 + 3 * PITCH + ROWS // 2  # rows of 1 mm
    first = centre + gap_mm
    box = (slice(1, 9), slice(first, first + 12), slice(10, 30))
    spine = measure_spine(*with_part((semantic, instances), Structure.SACRUM, 26, box))
    assert spine.has_sacrum is counts


def test_upper_joints_are_measured_from_the_back_of_the_body() -> None:
    maps = boxes()
    for part, across in (
        (Structure.SUPERIOR_ARTICULAR_LEFT, slice(6, 8)),
        (Structure.SUPERIOR_ARTICULAR_RIGHT, slice(2, 4)),
    ):
        maps = with_part(maps, part, 2, (across, slice(6, 14), slice(38, 42)))
    figures = [v.figures for v in measure_spine(*maps).vertebrae]
    # Columns 38 to 41 about a body of columns 10 to 29: 20 mm behind its centre; it is 20 deep.
    half_depth = np.sqrt(COLUMNS**2 - 1) / 2
    assert figures[0]["superior_behind"] == pytest.approx(20.0 - half_depth)
    assert "superior_behind" not in figures[1]


def test_the_cord_beside_a_vertebra_is_a_share_of_the_rows_with_canal() -> None:
    semantic, instances = boxes()
    labels = semantic.labels_zyx.copy()
    to_second = 6 + PITCH + ROWS // 2  # the middle of the second body
    labels[4:6, :to_second, 34:36] = Structure.CORD
    spine = measure_spine(semantic.with_labels(labels), instances)
    shares = [v.figures["cord"] for v in spine.vertebrae]
    assert shares[0] == 1.0
    assert 0.3 < shares[1] < 0.7
    assert shares[2:] == [0.0, 0.0]


def test_processes_at_the_border_reach_at_least_so_far() -> None:
    maps = boxes()
    rows = slice(6, 14)
    for part, across in (
        (Structure.COSTAL_PROCESS_LEFT, slice(8, 10)),
        (Structure.COSTAL_PROCESS_RIGHT, slice(0, 2)),
    ):
        maps = with_part(maps, part, 2, (across, rows, slice(40, 44)))
    figures = measure_spine(*maps).vertebrae[0].figures
    assert np.exp(figures["costal_beyond"]) == pytest.approx(13.5)  # 4.5 slices of 3 mm
    assert "costal_reach" not in figures


def test_no_vertebra_is_no_spine() -> None:
    nothing = LabelMap(np.zeros((4, 5, 6), np.uint16), affine_rip())
    assert measure_spine(nothing, nothing).vertebrae == ()
