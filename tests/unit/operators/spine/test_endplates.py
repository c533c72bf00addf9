"""Superior and inferior endplates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.ndimage import rotate

from operators.anatomy.labels import Structure
from operators.spine.endplates import split_endplates
from tests.builders.spine_phantom import LEVEL, PLATE_VOXELS, TOP, body_rows, spine_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

ISOTROPIC = (1.5, 1.5, 1.5)
SUPERIOR, INFERIOR = Structure.ENDPLATE_SUPERIOR, Structure.ENDPLATE_INFERIOR


def split(parts: NDArray[np.unsignedinteger], vertebrae: NDArray[np.unsignedinteger]):
    return split_endplates(parts, vertebrae, ISOTROPIC)


def test_the_plate_above_a_disc_is_inferior_and_the_one_below_is_superior():
    spine = spine_of(4)
    parts = spine.parts
    assert split(parts, spine.vertebrae) == ()
    for level in range(3):
        assert (parts[6:26, body_rows(level).stop, 4:24] == INFERIOR).all()
        assert (parts[6:26, body_rows(level + 1).start - 1, 4:24] == SUPERIOR).all()


def test_the_plate_of_the_topmost_vertebra_is_superior():
    spine = spine_of(3)
    parts = spine.parts
    parts[6:26, TOP - 1, 4:24] = Structure.ENDPLATE
    split(parts, spine.vertebrae)
    assert (parts[6:26, TOP - 1, 4:24] == SUPERIOR).all()


@pytest.mark.parametrize("numbers", [(2, 3, 4), (19, 28, 20), (18, 19, 28), (24, 25, 20)])
def test_numbers_do_not_matter_only_places_do(numbers: tuple[int, ...]):
    spine = spine_of(3)
    parts = spine.parts
    split(parts, np.array([0, *numbers], np.uint16)[spine.vertebrae])
    assert (parts == SUPERIOR).sum() == (parts == INFERIOR).sum() == 2 * PLATE_VOXELS


def test_the_plate_on_the_sacrum_is_superior_and_none_is_erased():
    spine = spine_of(3, sacrum=True)
    parts, vertebrae = spine.parts, spine.vertebrae
    vertebrae[parts == Structure.SACRUM] = 26
    parts[6:26, TOP - 1, 4:24] = Structure.ENDPLATE
    before = np.isin(parts, (52, 53, 62))
    split(parts, vertebrae)
    assert (parts[6:26, TOP + 3 * LEVEL - 1, 4:24] == SUPERIOR).all()
    assert np.array_equal(np.isin(parts, (52, 53, 62)), before)
    assert (parts == INFERIOR).sum() == 3 * PLATE_VOXELS


@pytest.mark.parametrize("tilt_deg", [-40.0, -20.0, 20.0, 40.0])
def test_a_tilted_spine_is_split_along_its_own_axis(tilt_deg: float):
    spine = spine_of(4)
    truth = spine.parts
    split(truth, spine.vertebrae)
    turn = {"angle": tilt_deg, "axes": (1, 2), "order": 0, "reshape": True}
    tilted, vertebrae = rotate(truth, **turn), rotate(spine.vertebrae, **turn)
    parts = np.where(np.isin(tilted, (SUPERIOR, INFERIOR)), Structure.ENDPLATE, tilted)
    split(parts.astype(np.uint8), vertebrae)
    result = parts.astype(np.uint8)
    split(result, vertebrae)
    assert np.array_equal(result, tilted)


@pytest.mark.parametrize(("gap", "label"), [(6, SUPERIOR), (8, Structure.ENDPLATE)])
def test_a_plate_further_than_10_5_mm_from_every_body_stays_62(gap: int, label: int):
    spine = spine_of(1)
    rows = 30
    parts = np.pad(spine.parts, ((0, 0), (rows, 0), (0, 0)))
    vertebrae = np.pad(spine.vertebrae, ((0, 0), (rows, 0), (0, 0)))
    parts[10:12, rows + TOP - gap, 10:12] = Structure.ENDPLATE
    warnings = split(parts, vertebrae)
    assert (parts[10:12, rows + TOP - gap, 10:12] == label).all()
    assert warnings == (() if label == SUPERIOR else ("endplate_voxels_unassigned: 4",))


def test_without_bodies_every_plate_stays_62():
    parts = np.zeros((4, 4, 4), np.uint8)
    parts[1, 1, 1:3] = Structure.ENDPLATE
    assert split(parts, np.zeros(parts.shape, np.uint16)) == ("endplate_voxels_unassigned: 2",)
    assert (parts == Structure.ENDPLATE).sum() == 2


def test_without_plates_nothing_happens():
    parts = np.full((3, 3, 3), Structure.CORPUS, np.uint8)
    assert split(parts, np.ones(parts.shape, np.uint16)) == ()
