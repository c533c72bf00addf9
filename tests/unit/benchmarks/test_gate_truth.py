"""What counts as gravely wrong, on boxes whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from operators.imaging.volume import Volume
from tests.benchmarks.gate_truth import Study, grave_errors

HEIGHT, GAP, FIRST = 10, 4, 6


def column(numbers: tuple[int, ...]) -> np.ndarray:
    """Bodies of boxes below each other."""
    bodies = np.zeros((4, FIRST + len(numbers) * (HEIGHT + GAP) + 20, 12), int)
    for n, number in enumerate(numbers):
        top = FIRST + n * (HEIGHT + GAP)
        bodies[:, top : top + HEIGHT, 2:10] = number
    return bodies


TRUTH = column((5, 6, 7, 8))
SACRUM = np.zeros(TRUTH.shape, bool)
SACRUM[:, -16:-2, 2:10] = True
IMAGE = Volume(np.zeros(TRUTH.shape, np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))


def halved() -> np.ndarray:
    found = TRUTH.copy()
    found[:, FIRST + HEIGHT // 2 : FIRST + HEIGHT] = 9 * (
        TRUTH[:, FIRST + HEIGHT // 2 : FIRST + HEIGHT] > 0
    )
    return found


def with_part(where: np.ndarray) -> np.ndarray:
    return np.where(where, 9, TRUTH)


ASIDE = np.zeros(TRUTH.shape, bool)
ASIDE[:, FIRST : FIRST + 2 * HEIGHT, 10:] = True


@pytest.mark.parametrize(
    ("found", "errors"),
    [
        (TRUTH, []),
        (column((2, 3, 4, 5)), []),
        (np.where(TRUTH == 6, 0, TRUTH), ["lost 6"]),
        (np.where(TRUTH == 7, 6, TRUTH), ["merged 6 and 7"]),
        (column((5, 7, 6, 8)), ["order"]),
        (halved(), ["divided 5"]),
        (with_part(SACRUM), ["on the sacrum: 9"]),
        (with_part(ASIDE), ["on nothing: 9"]),
    ],
)
def test_an_answer_is_gravely_wrong_if_its_vertebrae_are_others(
    found: np.ndarray, errors: list[str]
) -> None:
    assert grave_errors(Study("a", "b", IMAGE, TRUTH, SACRUM), found) == errors


def test_where_the_sacrum_is_not_known_a_vertebra_below_the_annotated_ones_is_part_of_it() -> None:
    study = Study("a", "b", IMAGE, TRUTH, None, TRUTH > 0)
    assert grave_errors(study, with_part(SACRUM)) == ["below L5: 9"]
    assert grave_errors(study, with_part(ASIDE)) == []
