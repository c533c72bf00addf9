"""Spinal canal (dural sac), cord, cauda equina and the fat around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from app.research.synthetic.foramina import paint_foramina
from app.research.synthetic.interpolation import interpolate
from operators.anatomy.labels import Structure

if TYPE_CHECKING:
    from torch import Tensor

    from app.research.synthetic.canvas import Canvas
    from app.research.synthetic.contrast import Contrast
    from app.research.synthetic.subject import Subject


def _ellipse(u: Tensor, w: Tensor, half_u: Tensor, half_w: Tensor) -> Tensor:
    return (torch.hypot(u / half_u, w / half_w) - 1) * torch.minimum(half_u, half_w)


def _sac(
    rng: np.random.Generator, canvas: Canvas, subject: Subject, centre: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Distance to the dural sac, its centre and its half AP size."""
    shrink = rng.uniform(0.82, 0.99)
    half_u = canvas.along(subject.canal_ap / 2) * shrink
    half_w = canvas.along(subject.canal_width / 2) * shrink * rng.uniform(0.82, 0.98)
    names = [subject.index(n) for n in ("T11", "L1", "L5", "S1", "S2")]
    fat = [0.0, *(rng.uniform(*span) for span in ((0, 1.5), (1, 4), (2, 5), (2, 4)))]
    lost = interpolate(canvas.level, names, fat)
    half_u = (half_u - lost / 2).clamp_(min=2.0)
    squeeze = np.ones(2 * len(subject.levels))
    squeeze[1::2] -= (
        0.45 * subject.degeneration * (rng.random() < 0.5) * rng.random(len(subject.levels))
    )
    stenosis = interpolate(canvas.level, np.arange(len(squeeze)) / 2, squeeze)
    end = float(
        np.interp(rng.uniform(0, 2), [0, 1, 2], subject.curve.level_s[subject.index("S1") :][:3])
    )
    taper = ((end - canvas.s) / 22).clamp_(0.05, 1).sqrt_()
    middle = centre - lost / 2
    distance = _ellipse(canvas.u - middle, canvas.w, half_u * stenosis * taper, half_w * taper)
    return torch.maximum(distance, canvas.s - end), middle, half_u


def paint_canal(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject
) -> None:
    """Paint and label the contents of the spinal canal.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    canvas : Canvas
        Painted in place; canal and cord get their labels.
    contrast : Contrast
        Brightness per tissue.
    subject : Subject
        Sizes.
    """
    centre = paint_foramina(rng, canvas, contrast, subject)
    # Above the foramen magnum the head has been painted: brainstem and cisterns.
    inside_spine = float(subject.curve.level_s[0] - 12) - canvas.s
    half_u, half_w = canvas.along(subject.canal_ap / 2), canvas.along(subject.canal_width / 2)
    epidural = _ellipse(canvas.u - centre, canvas.w, half_u + 1, half_w + 1)
    epidural = torch.maximum(epidural, inside_spine)
    fat = contrast["fat"] * np.float32(rng.uniform(0.5, 1))
    canvas.paint(epidural, fat if rng.random() < 0.6 else contrast["ligament"])
    sac, middle, sac_half = _sac(rng, canvas, subject, centre)
    sac = torch.maximum(sac, inside_spine)
    pulse = 1 - 0.12 * rng.random() * canvas.noise(rng, (20.0, 14.0, 20.0)).clamp_(0, 1)
    canvas.paint(sac, contrast["csf"], texture=pulse)
    canvas.label(sac < 0, Structure.CANAL, 0)
    conus = _conus(rng, subject)
    strands = canvas.noise(rng, (2.4, 45.0, 2.1)) + ((canvas.u - middle) / 6).clamp_(-0.6, 0.6)
    cauda = torch.maximum(sac + 0.8, rng.uniform(-0.2, 0.7) - strands)
    cauda = torch.maximum(cauda, conus - 25 - canvas.s)
    canvas.paint(cauda, contrast["cord"] * np.float32(rng.uniform(0.6, 1.6)))
    _cord(rng, canvas, contrast, subject, (middle, sac_half, conus))
    line = torch.maximum(sac.abs() - rng.uniform(0.3, 0.7), canvas.w.abs() - 6)
    if rng.random() < 0.8:
        canvas.paint(torch.maximum(line, canvas.u - middle), contrast["ligament"])


def _conus(rng: np.random.Generator, subject: Subject) -> float:
    """Arc length of the cord's tip: most at L1, from T12 to the upper half of L3."""
    level = subject.index("L1") + float(np.clip(rng.normal(0.0, 0.7), -1.2, 1.6))
    index = np.arange(len(subject.levels), dtype=np.float64)
    return float(np.interp(level, index, subject.curve.level_s))


def _cord(
    rng: np.random.Generator,
    canvas: Canvas,
    contrast: Contrast,
    subject: Subject,
    sac: tuple[Tensor, Tensor, float],
) -> None:
    middle, sac_half, conus = sac
    above = conus - canvas.s
    # The lumbar enlargement ends in a cone of 2 to 4 cm whose tip is a thread.
    taper = (above / rng.uniform(18, 40)).clamp_(0.02, 1) ** rng.uniform(0.5, 1.0)
    taper = taper * (1 + rng.uniform(0, 0.14) * torch.exp(-(((above - 55) / 30) ** 2)))
    last = subject.index("L1")
    ap, wide = subject.cord_ap.copy(), subject.cord_width.copy()
    ap[last:], wide[last:] = ap[last], wide[last]
    half_u = torch.minimum(canvas.along(ap / 2), 0.8 * sac_half) * taper
    half_w = canvas.along(wide / 2) * taper
    offset = rng.uniform(-1.2, 1.2) + torch.sin(canvas.s / 40 + rng.uniform(0, 6))
    # Who lies on the back has the conus near or at the posterior wall of the sac.
    room = (sac_half - half_u).clamp_(min=0.0)
    offset = offset + (1 - above / 60).clamp_(0, 1) * rng.uniform(-0.1, 1.0) * room
    behind = canvas.u - middle - offset
    cord = torch.maximum(_ellipse(behind, canvas.w, half_u, half_w), canvas.s - conus)
    cord = torch.maximum(cord, float(subject.curve.level_s[0] - 14) - canvas.s)
    canvas.paint(cord, contrast["cord"])
    canvas.paint(cord, contrast["cord"] * np.float32(rng.uniform(0.95, 1.25)), inner=-1.8)
    if rng.random() < 0.5:
        thread = torch.hypot(behind, canvas.w) - rng.uniform(0.5, 1.0)
        canvas.paint(torch.maximum(thread, conus - canvas.s), contrast["cord"])
    if rng.random() < 0.08:
        places = canvas.s.flatten()[::997]
        at, length = places[int(rng.integers(len(places)))], rng.uniform(4, 15)
        lesion = torch.maximum(cord + 1, (canvas.s - at).abs_() - length)
        canvas.paint(lesion, contrast["cord"] * 1.6)
    inside = (cord < 0) & (canvas.labels == Structure.CANAL)
    canvas.label(inside, Structure.CORD, 0)
