"""Where a field of view lies in the person, so that the stations of one patient fit together.

The generator draws every field around its own origin. A scanner has one frame of reference: a
vertebra that two stations show lies at one place in the patient. The seed's person says where the
centre of each body is; the truth of the field says where it is in the image; the rigid motion
between the two places the field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import center_of_mass

from app.research.synthetic.subject import draw_subject
from operators.anatomy.labels import VERTEBRA_INSTANCES, Structure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from operators.imaging.volume import LabelMap

    Affine = NDArray[np.float64]


_AXIS = 2
"""C2, whose dens belongs to its body: 4 mm between the centres of the two."""


def person_from_image(seed: int, semantic: LabelMap, instances: LabelMap) -> Affine:
    """Find the rigid motion from an upright field of view to its person.

    Parameters
    ----------
    seed : int
        Of the phantom.
    semantic, instances : LabelMap
        Truth on one upright [R, I, P] grid, as `app.research.synthetic.phantom.generate` gives it.

    Returns
    -------
    (4, 4) ndarray
        LPS mm in the image to LPS mm in the person: a turn in the sagittal plane (the only one a
        field is drawn with) and a shift, by least squares over the bodies that the field holds
        whole. The identity where it holds none.
    """
    found = _body_centres(semantic, instances)
    wanted = _person_centres(seed)
    names = sorted(found.keys() & wanted.keys())
    motion = np.eye(4)
    if not names:
        return motion
    here, there = (np.array([centres[n] for n in names]) for centres in (found, wanted))
    near, far = (points - points.mean(axis=0) for points in (here, there))
    # Positions in the (posterior, superior) plane as complex numbers: a turn is a factor.
    turn = np.vdot(near[:, 1] + 1j * near[:, 2], far[:, 1] + 1j * far[:, 2])
    cos, sin = (turn.real, turn.imag) / abs(turn) if abs(turn) > 0 else (1.0, 0.0)
    motion[1:3, 1:3] = [[cos, -sin], [sin, cos]]
    motion[:3, 3] = there.mean(axis=0) - motion[:3, :3] @ here.mean(axis=0)
    return motion


def _body_centres(semantic: LabelMap, instances: LabelMap) -> dict[int, NDArray[np.float64]]:
    """Centres of the bodies that no border of the sagittal image cuts, LPS mm."""
    bodies = np.where(semantic.labels_zyx == Structure.CORPUS, instances.labels_zyx, 0)
    edges = np.concatenate([bodies[:, [0, -1]].ravel(), bodies[:, :, [0, -1]].ravel()])
    whole = set(np.unique(bodies).tolist()) & VERTEBRA_INSTANCES - set(np.unique(edges).tolist())
    names = sorted(whole - {_AXIS})
    index = center_of_mass(np.ones(bodies.shape), bodies, names)
    affine = semantic.affine_lps
    return {n: affine[:3, :3] @ at + affine[:3, 3] for n, at in zip(names, index, strict=True)}


def _person_centres(seed: int) -> dict[int, NDArray[np.float64]]:
    """Centres of the bodies of a seed's person, LPS mm (axes of the phantom: see `subject`)."""
    subject = draw_subject(np.random.default_rng(seed))
    places = [subject.curve.at(s)[:3] for s in subject.curve.level_s]
    return {
        level.instance: np.array([-r, p, -i])
        for level, (p, i, r) in zip(subject.levels, places, strict=True)
    }
