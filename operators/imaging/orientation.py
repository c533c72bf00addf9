"""Turn volumes so that their axes point where an algorithm expects them; no interpolation.

Orientation codes follow nibabel and SPINEPS: three letters in x, y, z order (array order i, j, k),
each the direction in which that index grows: ``("P", "I", "R")`` = i posterior, j inferior,
k right. Our arrays are ``[k, j, i]``, so a PIR array is indexed [R, I, P].
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from operators.errors import GeometryError
from operators.imaging.volume import LabelMap, Volume, array_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

Codes = tuple[str, str, str]

_DIRECTION_LPS: dict[str, tuple[int, int]] = {
    "L": (0, 1),
    "R": (0, -1),
    "P": (1, 1),
    "A": (1, -1),
    "S": (2, 1),
    "I": (2, -1),
}

_Placed = TypeVar("_Placed", Volume, LabelMap)


def axis_codes(affine_lps: NDArray[np.float64]) -> Codes:
    """Name the direction in which each index grows.

    Parameters
    ----------
    affine_lps : (4, 4) ndarray
        Index (k, j, i, 1) to LPS mm; oblique grids get the closest assignment.

    Returns
    -------
    tuple of 3 str
        Codes in x, y, z (i, j, k) order.

    Examples
    --------
    >>> axis_codes(np.eye(4)[[2, 1, 0, 3]])
    ('L', 'P', 'S')
    """
    matrix = affine_lps[:3, :3] / np.linalg.norm(affine_lps[:3, :3], axis=0)
    # Polar decomposition, as nibabel does: the closest rotation decides, so that shear cannot
    # give two indices the same direction.
    u, _, vh = np.linalg.svd(matrix)
    rotation = u @ vh
    codes = [""] * 3
    free = [0, 1, 2]
    for axis in np.argsort(-np.abs(rotation).max(axis=0), kind="stable"):
        patient = max(free, key=lambda p, a=int(axis): abs(rotation[p, a]))  # type: ignore[misc]
        free.remove(patient)
        positive = bool(rotation[patient, axis] > 0)
        codes[int(axis)] = ("LPS" if positive else "RAI")[patient]
    k, j, i = codes
    return i, j, k


def reorient(placed: _Placed, codes: Codes) -> _Placed:
    """Permute and flip the axes until they point as named; every voxel keeps its place.

    Parameters
    ----------
    placed : Volume or LabelMap
        Any orientation. ``source`` survives only if the slice axis k is not exchanged.
    codes : tuple of 3 str
        Wanted directions in x, y, z order, for example ``("P", "I", "R")``.

    Returns
    -------
    Volume or LabelMap
        A view where possible, with the affine changed accordingly.

    Raises
    ------
    GeometryError
        If the codes do not name three different patient axes.
    """
    wanted = [_DIRECTION_LPS.get(code, (-1, 0)) for code in reversed(codes)]
    if sorted(axis for axis, _ in wanted) != [0, 1, 2]:
        raise GeometryError("orientation codes must name three different patient axes")
    present = [_DIRECTION_LPS[code] for code in reversed(axis_codes(placed.affine_lps))]
    order = [next(a for a in range(3) if present[a][0] == axis) for axis, _ in wanted]
    flips = [present[order[n]][1] != wanted[n][1] for n in range(3)]
    array = array_of(placed)
    shape = [array.shape[a] for a in order]
    steps = placed.affine_lps[:3, order].copy()
    origin = placed.affine_lps[:3, 3].copy()
    for n in range(3):
        if flips[n]:
            origin += steps[:, n] * (shape[n] - 1)
            steps[:, n] *= -1
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = steps, origin
    mirror = tuple(slice(None, None, -1 if f else None) for f in flips)
    if isinstance(placed, Volume):
        turned = array.transpose(order)[mirror]
        keeps_slices = order[0] == 0
        source = placed.source[:: -1 if flips[0] else 1] if keeps_slices else ()
        return replace(placed, voxels_zyx=turned, affine_lps=affine, source=source)
    labels = placed.labels_zyx.transpose(order)[mirror]
    return replace(placed, labels_zyx=labels, affine_lps=affine)
