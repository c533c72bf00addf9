"""A synthetic case: images, semantic map and instance map of one random spine.

Seeded: the same seed, settings and device give the same voxels, to the byte. No patient data enter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from app.research.synthetic.acquisition import Scanner, acquire
from app.research.synthetic.canal import paint_canal
from app.research.synthetic.canvas import Field, blank_canvas
from app.research.synthetic.contrast import Weighting, draw_contrast
from app.research.synthetic.implants import SHARE as IMPLANTED
from app.research.synthetic.implants import paint_implants
from app.research.synthetic.sacrum_and_discs import paint_disc, paint_sacral
from app.research.synthetic.soft_tissue import paint_no_spine, paint_surroundings
from app.research.synthetic.subject import Subject, draw_subject
from app.research.synthetic.vertebrae import paint_vertebra
from operators.imaging.volume import LabelMap, Volume

if TYPE_CHECKING:
    import torch

    from app.research.synthetic.canvas import Canvas
    from app.research.synthetic.contrast import Contrast

_REGIONS = {"C": ("C1", "T2"), "T": ("T2", "T12"), "L": ("T12", "L5"), "S": ("L4", "S2")}


GENERATOR_VERSION = 6
"""To be raised with every change after which a seed gives another phantom."""


_BELOW_LEVEL_MM = 10.0
"""From the centre of the level that a field is planned on to the field's own: about its disc."""


@dataclass(frozen=True, slots=True)
class PhantomSettings:
    """What to generate.

    Attributes
    ----------
    slices : int
        Number of sagittal slices.
    in_plane : tuple of 2 ints
        Voxels along (I, P).
    spacing : tuple of 3 floats
        Slice distance and voxel size along (R, I, P), mm.
    weightings : tuple of {"t2", "t2_plain", "t1", "stir"}
        One image per entry, all of the same anatomy.
    region_odds : tuple of 4 floats
        Odds that the field is centred on the cervical, thoracic, lumbar spine or the sacrum.
    no_spine : float
        Probability of a field without any spine.
    centred_on : str or None
        Level that lies just above the middle of the field, as in a planned scan, such as ``"L2"``;
        None = the field lies anywhere in a region drawn by `region_odds`.
    scanner : Scanner
        Image quality.
    """

    slices: int = 16
    in_plane: tuple[int, int] = (208, 144)
    spacing: tuple[float, float, float] = (3.3, 1.2, 1.2)
    weightings: tuple[Weighting, ...] = ("t2", "t2")
    region_odds: tuple[float, float, float, float] = (0.28, 0.18, 0.30, 0.24)
    no_spine: float = 0.1
    centred_on: str | None = None
    scanner: Scanner = field(default_factory=Scanner)


@dataclass(frozen=True, slots=True)
class SyntheticCase:
    """Images and truth of one phantom, all on grids in orientation P, I, R (arrays [R, I, P]).

    Attributes
    ----------
    images : tuple of Volume
        One per weighting, float32, CSF about 1.
    semantic, instances : LabelMap
        Truth on the images' grid (SPINEPS labels; vertebra X, disc 100 + X, endplate 200 + X,
        sacrum 26), uint8; the labels of each slice's centre.
    fine_semantic, fine_instances : LabelMap
        The same on the painted sub-slices.
    """

    images: tuple[Volume, ...]
    semantic: LabelMap
    instances: LabelMap
    fine_semantic: LabelMap
    fine_instances: LabelMap


def _draw_field(rng: np.random.Generator, subject: Subject, settings: PhantomSettings) -> Field:
    odds = np.array(settings.region_odds)
    region = str(rng.choice(list(_REGIONS), p=odds / odds.sum()))
    low, high = (subject.curve.level_s[subject.index(name)] for name in _REGIONS[region])
    n = settings.scanner.sub_slices
    k, i, p = settings.spacing
    above = rng.uniform(25, 110) if region == "C" and rng.random() < 0.35 else 0.0  # a head
    sideways = rng.normal(0, 5) if rng.random() < 0.7 else rng.uniform(-26, 26)
    ahead = rng.uniform(-14, 42) if region != "S" else rng.uniform(-20, 40)
    kind = rng.random()
    if settings.centred_on is not None:
        sideways, ahead, above = 0.0, 8.0, 0.0
        low = high = subject.curve.level_s[subject.index(settings.centred_on)] + _BELOW_LEVEL_MM
    elif kind < 0.12:
        ahead = -rng.uniform(30, 100)
    elif kind < 0.18:
        ahead = rng.uniform(45, 80)
    angle = rng.normal(0, 0.09 if settings.centred_on is None else 0.02)
    shape = (settings.slices * n, *settings.in_plane)
    return Field(
        shape,
        (k / n, i, p),
        float(rng.uniform(low, high)) - above,
        (float(sideways), float(ahead)),
        float(angle),
    )


def _paint_spine(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject
) -> None:
    paint_surroundings(rng, canvas, contrast, subject)
    paint_canal(rng, canvas, contrast, subject)
    for k in reversed(range(len(subject.levels))):
        paint = paint_sacral if subject.levels[k].region == "S" else paint_vertebra
        paint(rng, canvas, contrast, subject, k)
    for k in range(len(subject.levels) - 1):
        paint_disc(rng, canvas, contrast, subject, k)
    if rng.random() < IMPLANTED:
        paint_implants(rng, canvas, contrast, subject)


def grid_affine(
    spacing_rip: tuple[float, float, float], shape_rip: tuple[int, ...]
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Affine of an upright [R, I, P] grid whose centre is the origin, index (k, j, i) to LPS mm."""
    r, i, p = spacing_rip
    affine = np.zeros((4, 4))
    affine[0, 0], affine[2, 1], affine[1, 2], affine[3, 3] = -r, -i, p, 1.0
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape_rip) - 1) / 2)
    return affine


def generate(
    seed: int,
    settings: PhantomSettings | None = None,
    *,
    device: torch.device | str = "cpu",
) -> SyntheticCase:
    """Generate one case.

    Parameters
    ----------
    seed : int
        Decides everything random.
    settings : PhantomSettings or None
        What to generate; None = the defaults.
    device : torch device
        Where the voxels are computed; what chance decides is the same on all (see
        `app.research.synthetic.noise`).

    Returns
    -------
    SyntheticCase
        Images and truth.
    """
    settings = settings or PhantomSettings()
    rng = np.random.default_rng(seed)
    subject = draw_subject(rng)
    place = _draw_field(rng, subject, settings)
    contrast = draw_contrast(rng, settings.weightings[0], len(settings.weightings))
    if len(set(settings.weightings)) > 1:
        draws = [draw_contrast(rng, w, 1).values for w in settings.weightings]
        contrast = type(contrast)({t: np.concatenate([d[t] for d in draws]) for t in draws[0]})
    canvas = blank_canvas(rng, subject, place, len(settings.weightings), device=device)
    if rng.random() < settings.no_spine:
        paint_no_spine(rng, canvas, contrast)
    else:
        _paint_spine(rng, canvas, contrast, subject)
    n = settings.scanner.sub_slices
    images = [
        acquire(rng, image.clamp(min=0), settings.scanner).cpu().numpy() for image in canvas.images
    ]
    labels, instances = canvas.labels.cpu().numpy(), canvas.instances.cpu().numpy()
    affine = grid_affine(settings.spacing, images[0].shape)
    fine = grid_affine(place.spacing, labels.shape)
    return SyntheticCase(
        images=tuple(Volume(image, affine) for image in images),
        semantic=LabelMap(labels[n // 2 :: n].copy(), affine),
        instances=LabelMap(instances[n // 2 :: n].copy(), affine),
        fine_semantic=LabelMap(labels, fine),
        fine_instances=LabelMap(instances, fine),
    )
