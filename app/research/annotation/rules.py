"""Named rules by which a case is left out of an annotation: each says what it saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from app.research.evaluation.label_schemes import labels_of
from operators.anatomy.labels import Structure
from operators.imaging.components import components
from operators.imaging.orientation import reorient
from operators.imaging.volume import voxel_volume_mm3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from app.research.annotation.merging import Merged
    from app.research.annotation.recipe import Exclusion
    from operators.imaging.volume import LabelMap

LEAST_BODY_MM3: Final = 1000.0
"""The smallest cervical bodies have about 3 ml; less than a third of one is a cut or a speck."""
LEAST_CANAL_MM3: Final = 200.0
"""About 1 mm of a canal's length: less is a speck."""
TALLEST_BODY_MM: Final = 45.0
"""Lumbar bodies are 25-32 mm tall, of very tall people 35; tilted by 40 degrees a body of 30 mm
height and 35 mm depth reaches over 45 mm."""


def reasons_against(labels: LabelMap, merged: Merged, rules: Exclusion) -> tuple[str, ...]:
    """Say why a case is left out.

    Parameters
    ----------
    labels : LabelMap
        The merged annotation.
    merged : Merged
        How it came about.
    rules : Exclusion
        Of the recipe.

    Returns
    -------
    tuple of str
        ``rule: what it saw`` of every rule that applies; empty where the case stays.
    """
    return tuple(_reasons(labels, merged, rules))


def _reasons(labels: LabelMap, merged: Merged, rules: Exclusion) -> Iterator[str]:
    for name in rules.missing_structures:
        if not np.isin(labels.labels_zyx, list(labels_of(name))).any():
            yield f"missing_structures: {name}"
    body = np.isin(labels.labels_zyx, (Structure.CORPUS, Structure.CORPUS_DENSE))
    bodies = _pieces(labels, body, LEAST_BODY_MM3)
    if len(bodies) < rules.fewer_bodies_than:
        yield f"fewer_bodies_than: {len(bodies)}"
    if rules.canal_in_pieces:
        canal = np.isin(labels.labels_zyx, (Structure.CANAL, Structure.CORD))
        pieces = len(_pieces(labels, canal, LEAST_CANAL_MM3))
        if pieces > 1:
            yield f"canal_in_pieces: {pieces}"
    if merged.contested_share > rules.contested_above:
        yield f"contested_above: {merged.contested_share:.2f}"
    if rules.body_beside_body and max(bodies, default=0.0) > TALLEST_BODY_MM:
        yield f"body_beside_body: {max(bodies):.0f} mm"


def _pieces(labels: LabelMap, mask: NDArray[np.bool_], least_mm3: float) -> list[float]:
    """Heights, in mm along the patient's axis, of the pieces of a structure that are no specks."""
    upright = reorient(labels.with_labels(mask.astype(np.uint8)), ("P", "I", "R"))
    found = components(upright.labels_zyx, connectivity=6)
    voxel_mm3, height = voxel_volume_mm3(upright.affine_lps), upright.spacing_zyx_mm[1]
    return [
        (box[1].stop - box[1].start) * height
        for box, count in zip(found.boxes, found.voxel_counts, strict=True)
        if count * voxel_mm3 >= least_mm3
    ]
