"""What two stations of one patient show lies at one place in the patient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.research.synthetic.dicom_series import STUDY_PHANTOM
from app.research.synthetic.phantom import SyntheticCase, generate
from app.research.synthetic.stations import person_from_image
from app.research.synthetic.subject import draw_subject
from operators.imaging.volume import LabelMap

SMALL = replace(
    STUDY_PHANTOM,
    slices=13,
    in_plane=(100, 80),
    spacing=(4.4, 2.7, 2.7),
    weightings=("t2_plain",),
    centred_on=None,
)
SEED = 950_020


def centres(case: SyntheticCase, motion: np.ndarray) -> dict[int, np.ndarray]:
    """Centres of the bodies that lie wholly inside of the image, moved."""
    bodies = np.where(case.semantic.labels_zyx == 49, case.instances.labels_zyx, 0)
    found = {}
    for number in np.unique(bodies[bodies > 2]):
        index = np.argwhere(bodies == number)
        if index[:, 1:].min() > 0 and (index[:, 1:].max(axis=0) < (99, 79)).all():
            at = case.semantic.affine_lps @ [*index.mean(axis=0), 1.0]
            found[int(number)] = (motion @ at)[:3]
    return found


def test_vertebrae_of_two_stations_meet_within_millimetres() -> None:
    places = []
    for level in ("C6", "T7"):
        case = generate(SEED, replace(SMALL, centred_on=level))
        motion = person_from_image(SEED, case.semantic, case.instances)
        assert motion[:3, :3] @ motion[:3, :3].T == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(motion) == pytest.approx(1.0)
        places.append(centres(case, motion))
    cervical, thoracic = places
    shared = sorted(cervical.keys() & thoracic.keys())
    assert len(shared) >= 4
    for number in shared:
        # Each field is bent by up to 1.6 mm of its own, as the patient breathes.
        assert np.linalg.norm(cervical[number] - thoracic[number]) < 7.0
    down = [position[2] for _, position in sorted((cervical | thoracic).items())]
    assert down == sorted(down, reverse=True)


@pytest.mark.parametrize("seed", [SEED, SEED + 1, SEED + 2])
def test_three_stations_together_show_every_vertebra_whole(seed: int) -> None:
    seen = [
        centres(generate(seed, replace(SMALL, centred_on=level)), np.eye(4)).keys()
        for level in ("C6", "T8", "L2")
    ]
    levels = {level.instance for level in draw_subject(np.random.default_rng(seed)).levels}
    assert set().union(*seen) >= {n for n in levels if 2 < n < 26 or n == 28}
    # Neighbours overlap, as stations do that are to be composed.
    assert len(seen[0] & seen[1]) >= 2
    assert len(seen[1] & seen[2]) >= 2


def test_a_field_that_is_moved_and_turned_is_moved_and_turned_back() -> None:
    case = generate(SEED, replace(SMALL, region_odds=(0.0, 0.0, 1.0, 0.0)))
    before = person_from_image(SEED, case.semantic, case.instances)
    motion = np.eye(4)
    motion[1:3, 1:3] = [[0.8, -0.6], [0.6, 0.8]]
    motion[:3, 3] = (5.0, -40.0, 320.0)
    moved = (
        LabelMap(each.labels_zyx, motion @ each.affine_lps)
        for each in (case.semantic, case.instances)
    )
    assert person_from_image(SEED, *moved) @ motion == pytest.approx(before, abs=1e-9)


def test_a_field_without_a_body_stays_where_it_is() -> None:
    empty = LabelMap(np.zeros((3, 4, 5), np.uint8), np.diag([2.0, 1.0, 1.0, 1.0]))
    assert np.array_equal(person_from_image(SEED, empty, empty), np.eye(4))
