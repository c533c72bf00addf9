import numpy as np
import pytest

from app.research.evaluation.regions import Region, centres_mm, nearest, region_of


@pytest.mark.parametrize(
    ("label", "region"),
    [
        (1, Region.CERVICAL),
        (7, Region.CERVICAL),
        (8, Region.THORACIC),
        (19, Region.THORACIC),
        (28, Region.THORACIC),
        (20, Region.LUMBAR),
        (25, Region.LUMBAR),
        (107, Region.CERVICAL),
        (119, Region.THORACIC),
        (128, Region.THORACIC),
        (225, Region.LUMBAR),
        (26, None),
        (126, None),
        (49, None),
    ],
)
def test_the_region_follows_the_level_of_the_vertebra(label: int, region: Region | None):
    assert region_of(label) is region


def test_centres_are_in_millimetres_of_the_patient():
    labels = np.zeros((4, 6, 8), np.uint16)
    labels[1:3, 2, 3] = 5
    labels[3, 5, 7] = 9
    affine = np.diag([3.0, 1.0, 0.5, 1.0])
    affine[:3, 3] = (10, 20, 30)
    centres = centres_mm(labels, (5, 9), affine)
    assert centres[5] == pytest.approx([14.5, 22, 31.5])
    assert centres[9] == pytest.approx([19, 25, 33.5])
    assert centres_mm(labels, (), affine) == {}


def test_the_nearest_centre_is_nearest_in_millimetres():
    centres = {20: np.array([0.0, 0, 0]), 21: np.array([0.0, 0, -35])}
    assert nearest(np.array([0.0, 5, -20]), centres) == 21
    assert nearest(np.array([0.0, 5, -10]), centres) == 20
    assert nearest(np.array([0.0, 5, -10]), {}) is None
