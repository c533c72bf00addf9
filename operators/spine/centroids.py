"""Content of the centroid file that SPINEPS writes beside its masks.

Two objects in a list: where the grid lies, and the centre of every vertebral body. Coordinates are
voxel indices in x, y, z order on the grid of the written NIfTI masks. No paths, no patient data, no
file access.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from operators.anatomy.labels import (
    DISC_OFFSET,
    SACRUM_INSTANCE,
    VERTEBRA_INSTANCES,
    Structure,
)
from operators.anatomy.levels import numbering_text
from operators.anatomy.vertebrae import cranial_to_caudal, vertebrae_among
from operators.imaging.orientation import axis_codes
from operators.spine.label_statistics import centres_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operators.anatomy.levels import LevelName
    from operators.imaging.volume import LabelMap

CORPUS_POINT = "50"
"""Key of a body's centre in the point files of SPINEPS (dense corpus)."""
DISC_POINT = "100"
"""Key of the centre of the disc below it (TPTBox: ``Vertebra_Disc``)."""

_DECIMALS = 2
_AFFINE_DECIMALS = 7


def centroid_document(
    semantic: LabelMap,
    instances: LabelMap,
    about: Mapping[str, str] | None = None,
    *,
    levels: Mapping[int, LevelName] | None = None,
) -> list[dict[str, Any]]:
    """Collect the centres of all vertebral bodies, of the sacrum, and of the discs.

    Parameters
    ----------
    semantic, instances : LabelMap
        Final maps on one grid; the masks of the same run must be written with this index order
        reversed (array [k, j, i], file i, j, k).
    about : mapping, optional
        More header entries, for example model names and digests.
    levels : mapping of int to LevelName, optional
        What is known of the levels, by vertebra id: header entry ``levels``.

    Returns
    -------
    list of two dict
        Header (``direction``, ``zoom``, ``origin`` and ``rotation`` in NIfTI's RAS millimetres,
        ``shape``, ``numbering`` ...) and ``{"<vertebra id>": {"50": [x, y, z], "100": [x, y, z]}}``
        from head to foot, two decimals: the body, and the disc below it. What the image does not
        show has no entry.

    References
    ----------
    TPTBox point files ("POI"), as written by SPINEPS 2.1.3.
    """
    vertebrae = vertebrae_among(np.unique(instances.labels_zyx).tolist())
    numbering = {"numbering": numbering_text(vertebrae, levels)}
    header = {**_grid_of(instances), **numbering, **dict(about or {})}
    if levels:
        header["levels"] = {str(n): name.as_json() for n, name in levels.items()}
    bodies = np.where(semantic.labels_zyx == Structure.CORPUS, instances.labels_zyx, 0)
    sacrum = instances.labels_zyx == SACRUM_INSTANCE
    bodies[sacrum] = SACRUM_INSTANCE
    centres = centres_of(bodies)
    discs = centres_of(np.where(instances.labels_zyx > DISC_OFFSET, instances.labels_zyx, 0))
    found = {(label, CORPUS_POINT): centre for label, centre in centres.items()} | {
        (label - DISC_OFFSET, DISC_POINT): centre for label, centre in discs.items()
    }
    known = cranial_to_caudal(
        label for label, _ in found if label in {*VERTEBRA_INSTANCES, SACRUM_INSTANCE}
    )
    points = {
        str(label): {
            key: [round(index, _DECIMALS) for index in reversed(found[label, key])]
            for key in (CORPUS_POINT, DISC_POINT)
            if (label, key) in found
        }
        for label in known
    }
    return [header, points]


def _grid_of(labels: LabelMap) -> dict[str, Any]:
    ras = np.diag([-1.0, -1.0, 1.0]) @ labels.affine_lps[:3][:, [2, 1, 0, 3]]
    spacing = np.linalg.norm(ras[:, :3], axis=0)
    # Adding 0.0 turns -0.0 into 0.0.
    rotation = np.round(ras[:, :3] / spacing, _AFFINE_DECIMALS) + 0.0
    return {
        "direction": list(axis_codes(labels.affine_lps)),
        "zoom": [round(float(size), _AFFINE_DECIMALS) for size in spacing],
        "origin": [round(float(place), _AFFINE_DECIMALS) for place in ras[:, 3]],
        "rotation": rotation.tolist(),
        "shape": list(reversed(labels.labels_zyx.shape)),
        "format": "POI",
        "level_one_info": "Any",
        "level_two_info": "Any",
        "source": "spine-node",
    }
