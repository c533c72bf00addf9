"""An affine that puts the voxels where no spine can be is refused; every real view is taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from operators.errors import GeometryError
from operators.imaging.nifti import lps_of
from operators.imaging.nifti_array import volume_of
from operators.imaging.nifti_header import affine_ras, read_header
from operators.imaging.spine_view import require_spine_view
from operators.imaging.volume import Volume


def image(counts: tuple[int, int, int], edges: tuple[float, float, float]) -> Volume:
    """Axes left-right, front-back, head-foot."""
    return volume_of(np.zeros(counts, np.uint8), np.diag([*edges, 1.0]))


@pytest.mark.parametrize(
    ("counts", "edges"),
    [
        ((15, 80, 80), (4.4, 2.5, 2.5)),
        ((5, 40, 40), (3.3, 0.8, 0.8)),  # a cropped cervical spine of a child
        ((64, 200, 200), (0.8, 0.8, 0.8)),
        ((15, 300, 900), (4.0, 0.9, 1.7)),  # a composed whole body, 1.5 m
        ((60, 60, 60), (1.5, 2.9, 1.5)),  # thick, but not yet slices
    ],
)
def test_views_of_a_spine_are_taken(
    counts: tuple[int, int, int], edges: tuple[float, float, float]
) -> None:
    require_spine_view(image(counts, edges))


@pytest.mark.parametrize(
    ("counts", "edges", "reasons", "told"),
    [
        ((15, 80, 29), (4.4, 1.0, 1.0), ("implausible_extent",), "29 mm head-foot"),
        ((15, 29, 80), (4.4, 1.0, 1.0), ("implausible_extent",), "29 mm front-back"),
        ((200, 80, 80), (4.0, 1.0, 1.0), ("implausible_extent",), "800 mm left-right"),
        ((80, 80, 20), (0.8, 0.8, 4.0), ("not_sagittal",), "4 mm apart head-foot"),
        ((80, 20, 80), (0.8, 4.0, 1.5), ("not_sagittal",), "4 mm apart front-back"),
        ((9, 9, 5), (1.0, 1.0, 4.0), ("implausible_extent", "not_sagittal"), "20 mm head-foot"),
    ],
)
def test_places_where_no_spine_can_be_are_named(
    counts: tuple[int, int, int],
    edges: tuple[float, float, float],
    reasons: tuple[str, ...],
    told: str,
) -> None:
    with pytest.raises(GeometryError, match=told) as caught:
        require_spine_view(image(counts, edges))
    assert caught.value.reasons == reasons


def test_every_real_image_is_taken(shared_data: Path) -> None:
    images = sorted((shared_data / "data").rglob("*_img.nii.gz"))
    assert images
    for path in images:
        header = read_header(path)
        shape = tuple(int(n) for n in header["dim"][1:4][::-1])
        require_spine_view(
            Volume(np.broadcast_to(np.float32(0), shape), lps_of(affine_ras(header)))
        )
