"""A part of S1 joins the sacrum, a split lowest vertebra becomes one, and no true one is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from operators.anatomy.labels import POSTERIOR_ELEMENTS, Structure
from operators.spine import lower_end
from operators.spine.column import Column
from operators.spine.lower_end import LowestBody, join_sacral_part
from operators.spine.postprocessing import PostprocessResult, PostprocessSettings, postprocess
from tests.builders.spine_phantom import LEVEL, SPACING_MM, TOP, body_rows, pir_map, spine_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Maps = tuple[NDArray[np.unsignedinteger], NDArray[np.unsignedinteger]]

MM = (SPACING_MM,) * 3
S1 = TOP + 4 * LEVEL
"""First row of the sacrum below four vertebrae."""
SIDES = slice(6, 26)
FRONT = slice(4, 24)
JOINED = "sacral_part_joined_to_sacrum"


def lumbosacral() -> Maps:
    """Four vertebrae and a sacrum of 30 rows with its crest behind the canal."""
    spine = spine_of(4, sacrum=True)
    grow = ((0, 0), (0, 16), (0, 0))
    parts, vertebrae = np.pad(spine.parts, grow), np.pad(spine.vertebrae, grow)
    parts[SIDES, S1 : S1 + 30, FRONT] = Structure.SACRUM
    parts[11:21, S1:, 26:34] = Structure.CANAL
    parts[SIDES, S1 : S1 + 30, 35:42] = Structure.SACRUM
    return parts, vertebrae


def with_part_of_s1(rows: int) -> Maps:
    parts, vertebrae = lumbosacral()
    parts[SIDES, S1 : S1 + rows, FRONT] = Structure.CORPUS
    vertebrae[SIDES, S1 : S1 + rows, FRONT] = 5
    return parts, vertebrae


def run(maps: Maps) -> PostprocessResult:
    return postprocess(*(pir_map(labels) for labels in maps), PostprocessSettings())


def bodies_in(result: PostprocessResult) -> list[int]:
    is_body = result.semantic.labels_zyx == Structure.CORPUS
    return np.unique(result.instances.labels_zyx[is_body]).tolist()


@pytest.mark.parametrize("rows", [3, 8, 12])  # 4.5, 12, 18 mm; body share 0.19, 0.5, 0.75
def test_with_a_part_of_s1_the_result_is_that_without(rows: int) -> None:
    whole, found = run(lumbosacral()), run(with_part_of_s1(rows))
    assert np.array_equal(found.semantic.labels_zyx, whole.semantic.labels_zyx)
    assert np.array_equal(found.instances.labels_zyx, whole.instances.labels_zyx)
    assert found.warnings == (f"{JOINED}: 1",)
    assert whole.warnings == ()


def test_a_rudimentary_disc_below_the_part_is_sacrum_too() -> None:
    parts, vertebrae = with_part_of_s1(8)
    parts[10:20, S1 + 8 : S1 + 10, 8:16] = Structure.DISC
    parts[10:20, S1 + 10, 8:16] = Structure.ENDPLATE
    found = run((parts, vertebrae))
    assert np.array_equal(found.instances.labels_zyx, run(lumbosacral()).instances.labels_zyx)
    assert found.warnings == (f"{JOINED}: 1",)


def test_a_scrap_of_the_crest_goes_with_the_part() -> None:
    parts, vertebrae = with_part_of_s1(8)
    parts[13:19, S1 : S1 + 4, 35:41] = Structure.ARCUS  # 144 voxels, 0.02 of the body above
    vertebrae[13:19, S1 : S1 + 4, 35:41] = 5
    found = run((parts, vertebrae))
    assert np.array_equal(found.semantic.labels_zyx, run(lumbosacral()).semantic.labels_zyx)


def own_arch(parts: NDArray[np.uint8], vertebrae: NDArray[np.uint16]) -> None:
    parts[SIDES, S1 + 2 : S1 + 6, 35:39] = Structure.ARCUS
    vertebrae[SIDES, S1 + 2 : S1 + 6, 35:39] = 5


def disc_below(parts: NDArray[np.uint8], vertebrae: NDArray[np.uint16]) -> None:
    del vertebrae
    parts[SIDES, S1 + 8 : S1 + 12, 4:13] = Structure.DISC  # 9 of 20 columns


def part_as_high_as_a_body(parts: NDArray[np.uint8], vertebrae: NDArray[np.uint16]) -> None:
    parts[SIDES, S1 : S1 + 13, FRONT] = Structure.CORPUS
    vertebrae[SIDES, S1 : S1 + 13, FRONT] = 5


def no_crest(parts: NDArray[np.uint8], vertebrae: NDArray[np.uint16]) -> None:
    del vertebrae
    parts[:, S1 : S1 + 30, 35:42] = 0


def sacrum_ends_with_it(parts: NDArray[np.uint8], vertebrae: NDArray[np.uint16]) -> None:
    del vertebrae
    parts[:, S1 + 11 :] = 0  # 4.5 mm below the part


def no_arch_in_the_slab(parts: NDArray[np.uint8], vertebrae: NDArray[np.uint16]) -> None:
    is_posterior = np.isin(parts, POSTERIOR_ELEMENTS)
    parts[is_posterior] = vertebrae[is_posterior] = 0


def no_sacrum(parts: NDArray[np.uint8], vertebrae: NDArray[np.uint16]) -> None:
    del vertebrae
    parts[parts == Structure.SACRUM] = 0


def no_disc_above(parts: NDArray[np.uint8], vertebrae: NDArray[np.uint16]) -> None:
    joint = parts[SIDES, S1 - 8 : S1, FRONT]
    joint[...] = Structure.CORPUS
    vertebrae[SIDES, S1 - 8 : S1, FRONT] = 5


@pytest.mark.parametrize(
    "mark",
    [
        own_arch,
        disc_below,
        part_as_high_as_a_body,
        no_crest,
        sacrum_ends_with_it,
        no_arch_in_the_slab,
        no_sacrum,
        no_disc_above,
    ],
)
def test_one_mark_of_a_true_vertebra_is_enough_to_keep_its_number(
    mark: Callable[[NDArray[np.uint8], NDArray[np.uint16]], None],
) -> None:
    parts, vertebrae = with_part_of_s1(8)
    mark(parts, vertebrae)
    found = run((parts, vertebrae))
    assert bodies_in(found) == [2, 3, 4, 5, 6]
    assert not any("joined" in warning for warning in found.warnings)


def test_a_lowest_vertebra_fused_to_the_sacrum_stays_a_vertebra() -> None:
    parts, vertebrae = lumbosacral()
    parts[SIDES, S1 - 8 : S1 - 4, FRONT] = Structure.CORPUS
    vertebrae[SIDES, S1 - 8 : S1 - 4, FRONT] = 4
    parts[SIDES, S1 - 4 : S1, FRONT] = Structure.SACRUM
    found = run((parts, vertebrae))
    assert bodies_in(found) == [2, 3, 4, 5]
    assert not any("joined" in warning for warning in found.warnings)


def test_a_body_below_the_sacrum_joins_it_and_then_a_part_of_s1() -> None:
    parts, vertebrae = with_part_of_s1(8)
    parts[12:20, S1 + 30 : S1 + 34, 8:20] = Structure.CORPUS
    vertebrae[12:20, S1 + 30 : S1 + 34, 8:20] = 6
    found = run((parts, vertebrae))
    assert bodies_in(found) == [2, 3, 4, 5]
    assert np.count_nonzero(found.instances.labels_zyx == 26) == (
        np.count_nonzero(run(lumbosacral()).instances.labels_zyx == 26) + 8 * 4 * 12
    )
    assert found.warnings == (f"{JOINED}: 2",)


def test_the_sacrum_may_have_another_label() -> None:
    parts, vertebrae = with_part_of_s1(8)
    parts[parts == Structure.SACRUM] = 27
    assert join_sacral_part(parts, vertebrae, MM, (27, 29)) == (f"{JOINED}: 1",)
    assert set(np.unique(parts[SIDES, S1 : S1 + 8, FRONT])) == {27}
    assert not (vertebrae == 5).any()


def test_a_single_body_above_a_sacrum_is_left_alone() -> None:
    parts, vertebrae = with_part_of_s1(8)
    vertebrae[vertebrae < 5] = 0
    before = parts.copy()
    assert join_sacral_part(parts, vertebrae, MM) == ()
    assert np.array_equal(parts, before)


AT_THE_LIMITS = LowestBody(
    body_share=lower_end.MOST_BODY_SHARE,
    arch_share=lower_end.MOST_ARCH_SHARE,
    joint_below=lower_end.MOST_JOINT_BELOW,
    body_above=lower_end.MOST_BODY_ABOVE,
    sacrum_behind=lower_end.LEAST_SACRUM_BEHIND,
    sacrum_lower_mm=lower_end.LEAST_SACRUM_LOWER_MM,
    sacrum_higher=0.0,
    arch_in_view=lower_end.LEAST_ARCH_IN_VIEW,
)


@pytest.mark.parametrize(
    ("field", "step"),
    [
        ("body_share", 0.01),
        ("arch_share", 0.01),
        ("joint_below", 0.01),
        ("body_above", 0.01),
        ("sacrum_behind", -0.01),
        ("sacrum_lower_mm", -0.01),
        ("arch_in_view", -0.01),
    ],
)
def test_every_condition_has_to_hold(field: str, step: float) -> None:
    assert AT_THE_LIMITS.is_sacral
    assert not replace(AT_THE_LIMITS, **{field: getattr(AT_THE_LIMITS, field) + step}).is_sacral


@pytest.mark.parametrize(
    ("down", "back"),
    [((0, 1, 0), (0, 0, 1)), ((0, 0.8, -0.6), (0, 0.6, 0.8)), ((1, 0, 0), (0, 0, 1))],
)
def test_backwards_is_across_the_column(down: tuple[float, ...], back: tuple[float, ...]) -> None:
    assert lower_end.backwards_of(np.array(down, float)).tolist() == list(back)


def test_beyond_the_sacrum_only_the_arch_counts() -> None:
    beyond = replace(AT_THE_LIMITS, sacrum_higher=0.5, body_share=2.0, sacrum_lower_mm=-9.0)
    assert beyond.is_sacral
    assert not replace(beyond, arch_share=0.04).is_sacral
    assert not replace(beyond, sacrum_higher=0.49).is_sacral


def split_at(axis: int, place: int) -> Maps:
    """The lowest vertebra with two numbers, on both sides of a plane."""
    parts, vertebrae = lumbosacral()
    beyond = np.indices(parts.shape)[axis] >= place
    vertebrae[(vertebrae == 4) & beyond] = 5
    return parts, vertebrae


LOWEST = body_rows(3)


@pytest.mark.parametrize(
    ("axis", "place"),
    [(1, LOWEST.start + 4), (1, LOWEST.start + 8), (1, LOWEST.stop - 4), (2, 12), (0, 16)],
)
def test_a_split_lowest_vertebra_becomes_one(axis: int, place: int) -> None:
    whole, found = run(lumbosacral()), run(split_at(axis, place))
    assert np.array_equal(found.instances.labels_zyx, whole.instances.labels_zyx)
    assert np.array_equal(found.semantic.labels_zyx, whole.semantic.labels_zyx)
    assert found.warnings == ("split_lowest_vertebra_joined: 1",)


def test_a_core_and_its_shell_have_a_direction_too() -> None:
    parts, vertebrae = lumbosacral()
    vertebrae[11:21, LOWEST.start + 4 : LOWEST.stop - 4, 9:19] = 5
    column = Column.of(parts, vertebrae, MM)
    assert column.distance(4, 5) == 0
    assert column.direction(4, 5).tolist() == [0, 1, 0]
    assert column.direction(1, 4).tolist() == [0, 1, 0]
    assert column.distance(1, 4) == 3 * LEVEL * SPACING_MM


def test_a_split_vertebra_without_a_sacrum_becomes_one() -> None:
    parts, vertebrae = split_at(1, LOWEST.start + 8)
    parts[parts == Structure.SACRUM] = 0
    assert bodies_in(run((parts, vertebrae))) == [2, 3, 4, 5]


def test_pieces_that_the_image_cuts_stay_two() -> None:
    parts, vertebrae = (labels[:, : LOWEST.start + 12] for labels in split_at(1, LOWEST.start + 6))
    assert bodies_in(run((parts, vertebrae))) == [2, 3, 4, 5, 6]


def test_two_lowest_vertebrae_without_a_disc_stay_two() -> None:
    parts, vertebrae = lumbosacral()
    joint = slice(body_rows(2).stop, body_rows(3).start)
    parts[SIDES, joint, FRONT] = Structure.CORPUS
    vertebrae[SIDES, joint.start : joint.start + 4, FRONT] = 3
    vertebrae[SIDES, joint.start + 4 : joint.stop, FRONT] = 4
    assert bodies_in(run((parts, vertebrae))) == [2, 3, 4, 5]


def test_two_low_vertebrae_with_a_disc_between_stay_two() -> None:
    """Two collapsed ones: together less than one body, their centres near each other."""
    parts, vertebrae = split_at(1, LOWEST.start + 8)
    parts[SIDES, LOWEST.start + 7 : LOWEST.start + 9, 4:16] = Structure.DISC
    vertebrae[parts == Structure.DISC] = 0
    assert bodies_in(run((parts, vertebrae))) == [2, 3, 4, 5, 6]


def test_pieces_bigger_together_than_a_vertebra_stay_two() -> None:
    parts, vertebrae = split_at(1, LOWEST.start + 8)
    parts[SIDES, LOWEST.stop : LOWEST.stop + 7, FRONT] = Structure.CORPUS
    vertebrae[SIDES, LOWEST.stop : LOWEST.stop + 7, FRONT] = 5
    assert bodies_in(run((parts, vertebrae))) == [2, 3, 4, 5, 6]
