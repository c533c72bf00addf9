"""What of the lowest body is called sacrum comes back to it, if its disc shows where it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from operators.anatomy.labels import SACRUM_INSTANCE, Structure
from operators.spine.body_above_sacrum import return_body_parts
from tests.builders.spine_phantom import SPACING_MM, body_rows
from tests.unit.operators.spine.test_lower_end import FRONT, SIDES, lumbosacral, run

if TYPE_CHECKING:
    from tests.unit.operators.spine.test_lower_end import Maps

LOWEST = body_rows(3)
MIDDLE = (FRONT.start + FRONT.stop) // 2


def with_sacral_front(columns: slice) -> Maps:
    """Columns of the lowest body, of those from the front backwards, are called sacrum."""
    parts, vertebrae = lumbosacral()
    lost = np.zeros(parts.shape, bool)
    lost[:, LOWEST, columns] = True
    lost &= (parts == Structure.CORPUS) & (vertebrae == 4)
    parts[lost], vertebrae[lost] = Structure.SACRUM, 0
    return parts, vertebrae


def test_the_front_of_the_lowest_body_comes_back() -> None:
    whole, found = run(lumbosacral()), run(with_sacral_front(slice(0, MIDDLE)))
    assert np.array_equal(found.instances.labels_zyx, whole.instances.labels_zyx)
    assert np.array_equal(found.semantic.labels_zyx, whole.semantic.labels_zyx)
    (warning,) = found.warnings
    assert warning.startswith("body_called_sacrum_returned: ")


def test_without_a_disc_below_nothing_shows_where_the_sacrum_begins() -> None:
    parts, vertebrae = with_sacral_front(slice(0, MIDDLE))
    parts[:, LOWEST.stop :][np.isin(parts[:, LOWEST.stop :], (Structure.DISC, 62))] = 0
    before = parts.copy()
    assert return_body_parts(parts, vertebrae, (SPACING_MM,) * 3) == ()
    assert np.array_equal(parts, before)


def test_what_hangs_together_with_the_sacrum_stays_sacrum() -> None:
    parts, vertebrae = with_sacral_front(slice(0, MIDDLE))
    parts[SIDES.start, LOWEST.start : LOWEST.stop + 20, FRONT.start] = Structure.SACRUM
    found = run((parts, vertebrae)).instances.labels_zyx
    assert found[16, LOWEST.start + 3, FRONT.start + 3] == SACRUM_INSTANCE


def test_an_untouched_spine_stays_as_it_is() -> None:
    parts, vertebrae = lumbosacral()
    assert return_body_parts(parts, vertebrae, (SPACING_MM,) * 3) == ()
