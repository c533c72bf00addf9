"""MetaImage files (``.mha``), as SPIDER has them, through ITK. Nothing of a node reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import SimpleITK

from operators.errors import UnreadableInputError
from operators.imaging.volume import Volume

if TYPE_CHECKING:
    from pathlib import Path


def read_metaimage(path: Path, kind: type[np.generic]) -> Volume:
    """Read an image; ITK places voxels in LPS as we do.

    Parameters
    ----------
    path : Path
        Any file that ITK reads.
    kind : type
        NumPy type of the voxels.

    Returns
    -------
    Volume
        In mm.

    Raises
    ------
    UnreadableInputError
        ``unreadable_metaimage``.
    """
    try:
        image = SimpleITK.ReadImage(str(path))
    except RuntimeError as error:
        raise UnreadableInputError(
            "an image of the data set cannot be read", reasons=("unreadable_metaimage",)
        ) from error
    turn, spacing = image.GetDirection(), image.GetSpacing()
    affine = np.eye(4)
    affine[:3, :3] = (np.array(turn).reshape(3, 3) * np.array(spacing))[:, ::-1]  # k, j, i
    affine[:3, 3] = image.GetOrigin()
    return Volume(SimpleITK.GetArrayFromImage(image).astype(kind), affine)
