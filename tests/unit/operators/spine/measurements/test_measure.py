"""Measured against a spine on a ring, whose sizes are known in closed form."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import rotate

from operators.anatomy.labels import Structure
from operators.imaging.orientation import reorient
from operators.imaging.volume import LabelMap
from operators.spine.measurements.definitions import MEASURES
from operators.spine.measurements.measure import Measurement, measure
from tests.builders.analytic_spine import AnalyticSpine, sagittal_grid

LORDOTIC = AnalyticSpine(
    bodies=(26.0, 22.0, 27.0),
    discs=(8.0, 9.0, 10.0),
    slips=(0.0, 6.0, 0.0),
    lean_degrees=3.0,
)
THIN, USUAL, THICK = (1.8, 1.0, 1.0), (3.0, 0.9, 0.9), (4.5, 0.9, 0.9)
EXTENT = (72.0, 150.0, 110.0)
NAMES = {20: "L3", 21: "L4", 22: "L5"}
PLACES = ("anterior", "middle", "posterior")

Rows = dict[tuple[int, str], Measurement]


def rows_of(maps: tuple[LabelMap, LabelMap], names: dict[int, str] | None = None) -> Rows:
    return {(row.instance, row.measure): row for row in measure(*maps, names)}


def maps_of(
    spine: AnalyticSpine,
    spacing: tuple[float, float, float] = USUAL,
    *,
    extent: tuple[float, float, float] = EXTENT,
    turned: float = 0.0,
) -> tuple[LabelMap, LabelMap]:
    return spine.on(*sagittal_grid(spacing, extent, turned_degrees=turned))


@cache
def lordotic(spacing: tuple[float, float, float], turned: float) -> Rows:
    return rows_of(maps_of(LORDOTIC, spacing, turned=turned), NAMES)


@pytest.mark.parametrize(
    ("spacing", "turned"), [(USUAL, 0.0), (THICK, 0.0), (USUAL, 10.0), (THICK, -10.0)]
)
def test_sizes_are_those_of_the_ring_whatever_the_slices_and_the_scanners_axes(
    spacing: tuple[float, float, float], turned: float
) -> None:
    rows = lordotic(spacing, turned)
    for n, number in enumerate((20, 21, 22)):
        for place, at, inside in zip(PLACES, (0.0, 0.5, 1.0), (0.1, 0.5, 0.9), strict=True):
            height = rows[number, f"body_{place}_height"].value
            assert height == pytest.approx(LORDOTIC.height(n, at), abs=0.6), (number, place)
            gap = rows[100 + number, f"disc_{place}_height"].value
            expected = LORDOTIC.height(n, inside, disc=True)
            assert gap == pytest.approx(expected, abs=0.6), (number, place)
        assert rows[number, "body_volume"].value == pytest.approx(LORDOTIC.volume_ml(n), rel=0.05)
        disc = rows[100 + number, "disc_volume"].value
        assert disc == pytest.approx(LORDOTIC.volume_ml(n, disc=True), rel=0.07)
        for at in (number, 100 + number):
            assert rows[at, "canal_ap_diameter"].value == pytest.approx(16.0, abs=0.8)
            area = rows[at, "canal_area"].value
            assert area == pytest.approx(LORDOTIC.ellipse_mm2(16.0, 24.0), rel=0.07)
            assert rows[at, "cord_ap_diameter"].value == pytest.approx(7.0, abs=0.7)


def test_a_quarter_of_an_end_plate_counts_to_the_height_of_its_body_and_to_nothing_else() -> None:
    straight = replace(LORDOTIC, radius=4000.0, slips=(0.0,) * 3, lean_degrees=0.0)
    semantic, instances = maps_of(straight)
    parts, numbers = semantic.labels_zyx.copy(), instances.labels_zyx.copy()
    for rows in (2, -2):
        for number in (20, 21, 22):
            plate = np.roll(instances.labels_zyx == number, rows, axis=1)
            plate &= semantic.labels_zyx != Structure.CORPUS
            parts[plate], numbers[plate] = Structure.ENDPLATE, 200 + number
    without = rows_of((semantic, instances))
    with_plates = rows_of((semantic.with_labels(parts), instances.with_labels(numbers)))
    for number in (20, 21, 22):
        for place in PLACES:
            key = (number, f"body_{place}_height")
            added = with_plates[key].value - without[key].value
            assert added == pytest.approx(0.25 * 2 * 2 * USUAL[1], abs=0.15), key
        volume = (number, "body_volume")
        assert with_plates[volume].value == without[volume].value


@pytest.mark.parametrize("turned", [0.0, 10.0])
def test_angles_and_slips_are_those_of_the_ring(turned: float) -> None:
    rows = lordotic(USUAL, turned)
    assert rows[0, "sacral_slope"].value == pytest.approx(LORDOTIC.tilt_of_degrees(6), abs=1.5)
    assert rows[20, "slip"].value == pytest.approx(-6.0, abs=0.5)
    assert rows[21, "slip"].value == pytest.approx(6.0, abs=0.5)
    assert rows[21, "slip_percent"].value == pytest.approx(100 * 6.0 / 34.0, abs=2.5)
    assert rows[22, "slip"].value == pytest.approx(0.0, abs=0.7)
    assert rows[21, "meyerding_grade_proposed"].value == 1.0
    assert rows[20, "meyerding_grade_proposed"].reason == "graded_forward_only"


def test_a_curve_needs_names_and_its_levels_in_the_image() -> None:
    rows = lordotic(USUAL, 0.0)
    assert rows[0, "lumbar_lordosis"].reason == "level_not_measured"
    named = rows_of(maps_of(LORDOTIC), {20: "L1", 21: "L2", 22: "L3"})
    expected = LORDOTIC.between_degrees(0, 6)
    assert named[0, "lumbar_lordosis"].value == pytest.approx(expected, abs=1.5)
    assert named[0, "thoracic_kyphosis"].reason == "level_not_measured"
    unnamed = rows_of(maps_of(LORDOTIC))
    for key in ("lumbar_lordosis", "thoracic_kyphosis", "cervical_lordosis"):
        assert unnamed[0, key].reason == "levels_unknown"
    assert unnamed[0, "sacral_slope"].value == rows[0, "sacral_slope"].value


def test_a_kyphosis_is_positive_and_a_kyphotic_lumbar_spine_has_a_negative_lordosis() -> None:
    bent = replace(LORDOTIC, radius=-160.0, slips=(0.0,) * 3)
    thoracic = rows_of(maps_of(bent), {20: "T4", 21: "T8", 22: "T12"})
    expected = -bent.between_degrees(0, 5)
    assert expected > 30
    assert thoracic[0, "thoracic_kyphosis"].value == pytest.approx(expected, abs=1.5)
    cervical = rows_of(maps_of(bent), {20: "C2", 21: "C5", 22: "C7"})
    assert cervical[0, "cervical_lordosis"].value == pytest.approx(
        bent.between_degrees(1, 5), abs=1.5
    )


def test_levels_are_named_only_as_far_as_they_are_known() -> None:
    rows = lordotic(USUAL, 0.0)
    assert rows[21, "slip"].level == "L4"
    assert rows[121, "disc_volume"].level == "L4/L5"
    assert rows[122, "disc_volume"].level == "L5/S1"
    assert rows[0, "sacral_slope"].level == ""
    partly = rows_of(maps_of(LORDOTIC), {21: "L4"})
    assert (partly[20, "slip"].level, partly[121, "disc_volume"].level) == ("", "")


def test_wedge_and_crush_are_graded_by_the_largest_loss() -> None:
    rows = lordotic(USUAL, 0.0)
    wedge = LORDOTIC.height(0, 0.0) / LORDOTIC.height(0, 1.0)
    assert rows[20, "wedge_ratio"].value == pytest.approx(wedge, abs=0.03)
    around = (LORDOTIC.height(0, 1.0) + LORDOTIC.height(2, 1.0)) / 2
    crush = LORDOTIC.height(1, 1.0) / around
    assert rows[21, "crush_ratio"].value == pytest.approx(crush, abs=0.03)
    assert rows[21, "genant_grade_proposed"].value == 0.0
    crushed = replace(LORDOTIC, bodies=(26.0, 17.0, 27.0), slips=(0.0,) * 3)
    assert rows_of(maps_of(crushed))[21, "genant_grade_proposed"].value == 2.0
    wedged = replace(crushed, bodies=(26.0, 26.0, 27.0), radius=-70.0)
    found = rows_of(maps_of(wedged))
    assert wedged.height(1, 0.0) / wedged.height(1, 1.0) < 0.65
    assert found[21, "genant_grade_proposed"].value in {2.0, 3.0}


def test_a_side_bend_is_measured_on_thin_slices_only() -> None:
    spine = replace(LORDOTIC, radius=1e5, slips=(0.0,) * 3, lean_degrees=0.0)
    semantic, instances = maps_of(spine, THIN)
    assert rows_of((semantic, instances))[0, "coronal_cobb"].value == pytest.approx(0.0, abs=1.5)
    rows = lordotic(USUAL, 0.0)
    for key in ("coronal_cobb", "coronal_cobb_upper_vertebra", "coronal_cobb_lower_vertebra"):
        assert rows[0, key].reason == "slices_too_thick"


def bent(labels: LabelMap, slope: float, kink: int) -> LabelMap:
    """Slope to one side above a row, and to the other side below it."""
    array = np.zeros_like(labels.labels_zyx)
    rows = np.arange(array.shape[1])
    middle, step = (array.shape[0] - 1) / 2, labels.spacing_zyx_mm[0] / labels.spacing_zyx_mm[1]
    for k in range(array.shape[0]):
        down = np.rint(slope * (k - middle) * step * np.sign(rows - kink)).astype(int)
        array[k] = labels.labels_zyx[k, np.clip(rows - down, 0, len(rows) - 1)]
    return labels.with_labels(array)


def test_the_coronal_angle_is_the_one_between_the_end_vertebrae() -> None:
    spine = replace(LORDOTIC, radius=1e5, slips=(0.0,) * 3, lean_degrees=0.0, tilt_degrees=0.0)
    semantic, instances = maps_of(spine, (1.5, 1.0, 1.0))
    kink = int(np.argwhere(instances.labels_zyx == 120)[:, 1].mean())
    slope = np.tan(np.radians(6.0))
    rows = rows_of((bent(semantic, slope, kink), bent(instances, slope, kink)))
    assert rows[0, "coronal_cobb"].value == pytest.approx(12.0, abs=2.0)
    assert rows[0, "coronal_cobb_upper_vertebra"].value == 20.0
    assert rows[0, "coronal_cobb_lower_vertebra"].value in {21.0, 22.0}


def test_what_the_image_cuts_is_not_given_and_says_so() -> None:
    short = rows_of(maps_of(LORDOTIC, extent=(64.0, 80.0, 110.0)))
    for key in ("body_anterior_height", "body_volume", "slip", "genant_grade_proposed"):
        assert short[20, key].reason == "cut_by_image_border", key
    assert short[21, "body_middle_height"].value == pytest.approx(LORDOTIC.height(1, 0.5), abs=0.6)
    assert short[21, "slip"].reason == "neighbour_not_measured"
    assert short[0, "sacral_slope"].reason in {"structure_not_present", "neighbour_not_measured"}


def test_narrow_stacks_give_heights_in_the_middle_but_no_volumes() -> None:
    narrow = rows_of(maps_of(LORDOTIC, extent=(30.0, 150.0, 110.0)))
    assert narrow[21, "body_volume"].reason == "cut_by_image_border"
    assert narrow[21, "body_middle_height"].value == pytest.approx(LORDOTIC.height(1, 0.5), abs=0.6)
    assert narrow[21, "canal_ap_diameter"].value == pytest.approx(16.0, abs=0.8)


def test_without_a_canal_a_body_cut_at_its_side_has_no_middle() -> None:
    semantic, instances = maps_of(LORDOTIC, extent=(30.0, 150.0, 110.0))
    parts = semantic.labels_zyx.copy()
    parts[(parts == Structure.CANAL) | (parts == Structure.CORD)] = 0
    rows = rows_of((semantic.with_labels(parts), instances))
    assert rows[21, "body_middle_height"].reason == "cut_by_image_border"
    assert rows[21, "canal_area"].reason == "cut_by_image_border"
    whole, numbers = maps_of(LORDOTIC)
    parts = whole.labels_zyx.copy()
    parts[(parts == Structure.CANAL) | (parts == Structure.CORD)] = 0
    rows = rows_of((whole.with_labels(parts), numbers))
    assert rows[21, "body_middle_height"].value == pytest.approx(LORDOTIC.height(1, 0.5), abs=0.6)
    assert rows[21, "canal_ap_diameter"].reason == "structure_not_present"


def test_a_vertebra_without_a_body_is_told_and_hides_nothing_else() -> None:
    semantic, instances = maps_of(LORDOTIC)
    parts = semantic.labels_zyx.copy()
    parts[instances.labels_zyx == 20] = Structure.ARCUS
    rows = rows_of((semantic.with_labels(parts), instances))
    assert rows[20, "body_middle_height"].reason == "structure_not_present"
    assert rows[20, "vertebra_volume"].value == pytest.approx(LORDOTIC.volume_ml(0), rel=0.05)
    assert rows[120, "disc_height_index"].reason == "neighbour_not_measured"
    assert rows[120, "disc_middle_height"].value == pytest.approx(8.0, abs=0.6)
    assert rows[21, "body_middle_height"].value == pytest.approx(LORDOTIC.height(1, 0.5), abs=0.6)


def test_a_disc_above_the_topmost_body_is_measured_too() -> None:
    semantic, instances = maps_of(LORDOTIC)
    numbers = instances.labels_zyx.copy()
    parts = semantic.labels_zyx.copy()
    parts[numbers == 20] = 0
    numbers[numbers == 20] = 0
    rows = rows_of((semantic.with_labels(parts), instances.with_labels(numbers)))
    assert (20, "slip") not in rows
    assert rows[120, "disc_middle_height"].value == pytest.approx(8.0, abs=0.6)


def test_an_implausible_value_is_withheld() -> None:
    rows = rows_of(
        maps_of(replace(LORDOTIC, canal_ap=40.0, behind=41.0), extent=(72.0, 90.0, 150.0))
    )
    assert rows[21, "canal_ap_diameter"].reason == "outside_plausible_range"
    assert rows[21, "canal_ap_diameter"].value is None
    assert rows[21, "body_middle_height"].value is not None


def test_the_same_maps_in_another_orientation_give_the_same_rows() -> None:
    maps = maps_of(LORDOTIC)
    turned = tuple(reorient(labels, ("L", "A", "S")) for labels in maps)
    assert measure(turned[0], turned[1], NAMES) == measure(*maps, NAMES)


def test_an_empty_map_gives_no_rows_and_every_row_is_in_the_table() -> None:
    semantic, instances = maps_of(LORDOTIC, extent=(30.0, 60.0, 60.0))
    empty = semantic.with_labels(np.zeros_like(semantic.labels_zyx))
    nothing = instances.with_labels(np.zeros_like(instances.labels_zyx))
    assert measure(empty, nothing) == ()
    rows = lordotic(USUAL, 0.0)
    assert {key for _, key in rows} == set(MEASURES)
    assert all((row.value is None) != (row.reason is None) for row in rows.values())


def test_a_cord_as_wide_as_a_few_slices_has_no_area() -> None:
    assert lordotic(THICK, 0.0)[21, "cord_area"].reason == "slices_too_thick"
    wide = replace(LORDOTIC, cord_width=13.0)
    area = rows_of(maps_of(wide))[21, "cord_area"].value
    assert area == pytest.approx(wide.ellipse_mm2(7.0, 13.0), rel=0.1)


def test_c2_has_no_upper_end_but_its_lower_one_ends_the_cervical_curve() -> None:
    neck = AnalyticSpine(
        bodies=(18.0, 13.5, 13.5, 13.0),
        discs=(5.0, 5.0, 5.5, 5.0),
        slips=(0.0,) * 4,
        depth=16.0,
        width=19.0,
        behind=19.0,
    )
    semantic, instances = maps_of(neck, extent=(40.0, 130.0, 80.0))
    parts, numbers = semantic.labels_zyx.copy(), instances.labels_zyx.copy()
    middle, row, column = (int(n) for n in np.argwhere(numbers == 20).mean(axis=0))
    dens = (slice(middle - 1, middle + 3), slice(row - 25, row), slice(column - 4, column + 7))
    parts[dens], numbers[dens] = Structure.CORPUS, 20
    names = {20: "C2", 21: "C3", 22: "C4", 23: "C7"}
    rows = rows_of((semantic.with_labels(parts), instances.with_labels(numbers)), names)
    for key in ("body_middle_height", "wedge_ratio", "genant_grade_proposed"):
        assert rows[20, key].reason == "surface_not_found", key
    expected = neck.between_degrees(1, 7)
    assert rows[0, "cervical_lordosis"].value == pytest.approx(expected, abs=2.0)
    assert rows[20, "slip"].value == pytest.approx(0.0, abs=1.0)


def test_a_tilt_of_30_degrees_against_the_line_through_the_neighbours_is_found() -> None:
    semantic, instances = maps_of(replace(LORDOTIC, slips=(0.0,) * 3))
    both = []
    for labels in (semantic, instances):
        array = labels.labels_zyx.copy()
        own = instances.labels_zyx == 21
        rows, columns = (int(n) for n in np.argwhere(own).mean(axis=0)[1:])
        turned = rotate(np.where(own, array, 0), 30.0, axes=(1, 2), reshape=False, order=0)
        shift = np.array([rows, columns]) - np.argwhere(turned).mean(axis=0)[1:]
        turned = np.roll(turned, np.rint(shift).astype(int), axis=(1, 2))
        array[own] = 0
        array[turned > 0] = turned[turned > 0]
        both.append(labels.with_labels(array))
    height = rows_of((both[0], both[1]))[21, "body_middle_height"].value
    assert height == pytest.approx(LORDOTIC.height(1, 0.5), abs=0.8)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.02, 0.6))
def test_no_map_is_so_odd_that_measuring_it_fails(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    shape, affine = sagittal_grid((4.0, 3.0, 3.0), (40.0, 60.0, 48.0))
    blocks = [rng.random(shape) < share for _ in range(2)]
    numbers = rng.choice(np.array([0, 1, 2, 3, 28, 26, 101, 102, 103, 128]), shape)
    parts = rng.choice(np.array([0, 26, 41, 49, 50, 60, 61, 100]), shape)
    semantic = LabelMap(np.where(blocks[0], parts, 49).astype(np.uint8), affine)
    instances = LabelMap(np.where(blocks[1], numbers, 2).astype(np.uint16), affine)
    for row in measure(semantic, instances, {2: "L1", 3: "L2"}):
        assert (row.value is None) != (row.reason is None)
        assert row.value is None or np.isfinite(row.value)
