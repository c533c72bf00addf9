import numpy as np

from app.research.annotation.endplates import fill_endplates
from app.research.annotation.merging import merge
from app.research.annotation.recipe import Source
from operators.imaging.orientation import reorient
from operators.imaging.volume import LabelMap
from tests.builders.spine_boxes import affine_rip


def source(number: int, *take: int) -> Source:
    return Source(
        number=number,
        name=str(number),
        masks=None,
        take=frozenset(take),
        scheme=None,
        optional=False,
        resample=False,
    )


def line(*labels: int) -> np.ndarray:
    return np.array([[labels]], np.uint16)


def test_the_first_source_that_takes_a_label_is_right_and_the_rest_is_told() -> None:
    found = merge(
        (1, 1, 6),
        [
            (source(1, 60), line(0, 60, 60, 49, 0, 0)),  # takes no body
            (source(2, 49, 61), line(61, 61, 60, 49, 49, 0)),
            (source(3, 41, 49), line(41, 0, 0, 49, 41, 41)),
        ],
    )
    assert found.labels.ravel().tolist() == [61, 60, 60, 49, 49, 41]
    assert found.origins.ravel().tolist() == [2, 1, 1, 2, 2, 3]
    assert found.contested.ravel().tolist() == [True, True, False, False, True, False]
    assert found.contested_share == 3 / 6


def test_without_sources_nothing_is_labelled() -> None:
    assert merge((1, 1, 2), []).contested_share == 0


def column(*labels: int) -> LabelMap:
    """One column of voxels of 1 mm, head first."""
    return LabelMap(np.array(labels, np.uint16)[None, :, None], affine_rip())


def filled(*labels: int, widest_mm: float = 2.0) -> list[int]:
    return fill_endplates(column(*labels), widest_mm).labels_zyx.ravel().tolist()


def test_holes_between_body_and_disc_are_endplates_on_either_side() -> None:
    assert filled(49, 0, 100, 100, 0, 0, 49) == [49, 62, 100, 100, 62, 62, 49]


def test_wider_gaps_other_neighbours_and_ends_stay() -> None:
    assert filled(49, 0, 0, 0, 100) == [49, 0, 0, 0, 100]
    assert filled(0, 49, 0, 49, 0) == [0, 49, 0, 49, 0]
    assert filled(49, 0, 61, 0, 100) == [49, 0, 61, 0, 100]
    assert filled(0, 100, 0) == [0, 100, 0]


def test_the_patients_axis_counts_not_the_arrays() -> None:
    labels = column(49, 0, 100)
    turned = reorient(labels, ("S", "L", "A"))
    found = fill_endplates(turned, 2.0)
    assert found.labels_zyx.shape == turned.labels_zyx.shape
    back = reorient(found, ("P", "I", "R"))
    assert back.labels_zyx.ravel().tolist() == [49, 62, 100]
    np.testing.assert_allclose(found.affine_lps, turned.affine_lps)
