"""A vertebra's second spinous process goes back to the next one up, and nothing else moves."""

from __future__ import annotations

import numpy as np
import pytest

from operators.anatomy.labels import Structure
from operators.spine.doubled_processes import give_back_processes
from operators.spine.postprocessing import PostprocessSettings, postprocess
from tests.builders.spine_phantom import SPACING_MM, Spine, pir_map, spine_of

SPACING = (SPACING_MM,) * 3
PROCESS = Structure.SPINOUS_PROCESS


def narrow() -> tuple[np.ndarray, np.ndarray]:
    """A spine of four, of whose posterior elements only the spinous processes are in the stack."""
    spine = spine_of(4)
    parts = np.where((spine.parts > PROCESS) & (spine.parts < Structure.CORPUS), 0, spine.parts)
    parts = np.where(parts == Structure.ARCUS, 0, parts)
    return parts, np.where(parts > 0, spine.vertebrae, 0).astype(np.uint16)


def given_down(*uppers: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parts, vertebrae whose processes the next ones down have, and what is right."""
    parts, right = narrow()
    wrong = right.copy()
    for upper in uppers:
        wrong[(parts == PROCESS) & (right == upper)] = upper + 1
    return parts, wrong, right


@pytest.mark.parametrize("uppers", [(1,), (2,), (3,), (2, 3), (1, 2, 3)])
def test_processes_come_back_also_of_several_vertebrae_in_a_row(uppers: tuple[int, ...]) -> None:
    parts, vertebrae, right = given_down(*uppers)
    assert not np.array_equal(vertebrae, right)
    (warning,) = give_back_processes(parts, vertebrae, SPACING)
    assert np.array_equal(vertebrae, right)
    assert warning == f"spinous_processes_given_back: {len(uppers)}"


def test_the_whole_of_post_processing_gives_the_spine_that_was_right() -> None:
    parts, wrong, right = given_down(2)
    found, expected = (
        postprocess(pir_map(parts), pir_map(vertebrae), PostprocessSettings())
        for vertebrae in (wrong, right)
    )
    assert np.array_equal(found.instances.labels_zyx, expected.instances.labels_zyx)
    assert set(found.warnings) - set(expected.warnings) == {"spinous_processes_given_back: 1"}


def test_pieces_of_the_arch_that_lie_as_high_go_with_it() -> None:
    parts, vertebrae, right = given_down(2)
    process = np.argwhere((parts == PROCESS) & (right == 2))
    lamina = process[0] - [0, 0, 4]  # in front of it, apart from it
    for array, value in ((parts, Structure.ARCUS), (vertebrae, 3), (right, 2)):
        array[tuple(lamina)] = value
    assert give_back_processes(parts, vertebrae, SPACING)
    assert np.array_equal(vertebrae, right)


@pytest.mark.parametrize("spine", [spine_of(4), spine_of(7)], ids=["4", "7"])
def test_a_spine_that_is_right_stays_as_it_is(spine: Spine) -> None:
    vertebrae = spine.vertebrae.copy()
    assert give_back_processes(spine.parts, vertebrae, SPACING) == ()
    assert np.array_equal(vertebrae, spine.vertebrae)


@pytest.mark.parametrize("voxels", [0, 40])
def test_a_vertebra_of_whose_own_process_little_is_in_view_keeps_the_one_it_has(
    voxels: int,
) -> None:
    parts, vertebrae, right = given_down(2)
    own = np.argwhere((parts == PROCESS) & (right == 3))
    parts[tuple(own[voxels:].T)] = 0  # 40 voxels are 135 mm3
    vertebrae[parts == 0] = 0
    before = vertebrae.copy()
    assert give_back_processes(parts, vertebrae, SPACING) == ()
    assert np.array_equal(vertebrae, before)


def test_a_fragment_and_a_piece_beside_the_own_process_stay() -> None:
    parts, vertebrae, right = given_down()
    process = np.argwhere((parts == PROCESS) & (right == 2))
    few = tuple(process[process[:, 1].argmin()])
    vertebrae[few] = 3
    before = vertebrae.copy()
    assert give_back_processes(parts, vertebrae, SPACING) == ()
    assert np.array_equal(vertebrae, before)
    own = (parts == PROCESS) & (right == 3)
    rows = np.flatnonzero(own.any(axis=(0, 2)))
    parts[:, rows[len(rows) // 2]][own[:, rows[len(rows) // 2]]] = 0  # in two, one over the other
    vertebrae[parts == 0] = 0
    before = vertebrae.copy()
    assert give_back_processes(parts, vertebrae, SPACING) == ()
    assert np.array_equal(vertebrae, before)


def test_nothing_to_look_at_gives_nothing_back() -> None:
    empty = np.zeros((3, 4, 5), np.uint16)
    assert give_back_processes(empty, empty.copy(), SPACING) == ()
