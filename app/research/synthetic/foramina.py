"""What lies beside the canal: foramina with fat and roots, vertebral arteries, streaks of fat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from app.research.synthetic.canvas import Canvas
    from app.research.synthetic.contrast import Contrast
    from app.research.synthetic.subject import Subject


def _pitch(subject: Subject) -> NDArray[np.float64]:
    """Distance to the next body's centre per level, mm."""
    steps = np.diff(subject.curve.level_s)
    return np.append(steps, steps[-1])


def paint_foramina(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject
) -> Tensor:
    """Paint a keyhole of fat between neighbouring pedicles, the root in its upper half.

    The bones are painted later and cut the keyhole to its shape.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    canvas : Canvas
        Painted in place; nothing is labelled.
    contrast : Contrast
        Brightness per tissue.
    subject : Subject
        Sizes.

    Returns
    -------
    (1, I, P) float32 tensor
        Position of the canal's centre behind the centre line, mm.
    """
    centre = canvas.along(subject.depth / 2 + subject.canal_ap / 2 + 0.6)
    half_w, pitch = canvas.along(subject.canal_width / 2), canvas.along(_pitch(subject))
    beside = canvas.w.abs() - half_w
    # Below the body's centre: the pedicle's lower edge at 0, the next pedicle's upper edge.
    down = canvas.level.frac() * pitch
    half_height = 0.36 * pitch
    low = down - half_height
    across = canvas.u - centre + rng.uniform(0.5, 2.5)
    narrow = 1 - 0.35 * (low / half_height).clamp_(-1, 1)  # wider above, where the root leaves
    half_across = canvas.along(subject.canal_ap) * rng.uniform(0.45, 0.65) * narrow
    keyhole = (torch.hypot(across / half_across, low / half_height) - 1) * half_across
    outward = torch.maximum(beside - rng.uniform(6, 15), -2 - beside)
    fat = contrast["fat"] * np.float32(rng.uniform(0.6, 1.0))
    canvas.paint(torch.maximum(keyhole, outward), fat)
    lean = rng.uniform(0.1, 0.5)
    root = torch.hypot(across, low + rng.uniform(0.3, 0.5) * half_height - lean * beside)
    thick = rng.uniform(1.7, 3.0) + 0.8 * torch.exp(-(((beside - 4) / 4) ** 2))  # the ganglion
    nerve = contrast["cord"] if rng.random() < 0.5 else contrast["muscle"] * 1.6
    canvas.paint(torch.maximum(root - thick, -1 - beside), nerve)
    if rng.random() < 0.5:
        vein = torch.hypot(across + rng.uniform(1, 4), low - rng.uniform(0, 0.5) * half_height)
        canvas.paint(torch.maximum(vein - rng.uniform(0.8, 1.8), outward), contrast["vessel"])
    if rng.random() < 0.5:
        far = torch.maximum(across.abs() - half_across, beside - rng.uniform(14, 40))
        streaks = torch.maximum(far, 0.5 - canvas.noise(rng, (6.0, 8.0, 4.0)) * 2)
        streaks = torch.maximum(streaks, 2 - beside)
        canvas.paint(streaks, contrast["fat"] if rng.random() < 0.7 else contrast["csf"])
    _vertebral_arteries(rng, canvas, contrast, subject)
    return centre


def _vertebral_arteries(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject
) -> None:
    """Flow voids through the transverse foramina of C2-C6."""
    if rng.random() < 0.2:
        return
    inside = torch.maximum(canvas.level - subject.index("C7"), 1 - canvas.level) * 18
    for side in (-1.0, 1.0):
        lateral = canvas.along(subject.width / 2) + rng.uniform(3, 6)
        front = canvas.u - canvas.along(subject.depth / 2) * rng.uniform(0.2, 0.8)
        tube = torch.hypot(front, canvas.w - side * lateral) - rng.uniform(1.6, 3.0)
        canvas.paint(torch.maximum(tube, inside), contrast["vessel"])
