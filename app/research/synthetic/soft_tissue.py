"""Everything around the spine that must not be called spine."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from app.research.synthetic.interpolation import interpolate
from app.research.synthetic.primitives import capsule, ellipsoid

if TYPE_CHECKING:
    from torch import Tensor

    from app.research.synthetic.canvas import Canvas
    from app.research.synthetic.contrast import Contrast
    from app.research.synthetic.subject import Subject

_WALL = {"C2": (35, 60), "T1": (45, 80), "T6": (110, 170), "L1": (70, 170), "S1": (60, 150)}


def paint_organs(rng: np.random.Generator, canvas: Canvas, contrast: Contrast) -> None:
    """Patches of random brightness everywhere: the background that all else is painted on."""
    best = canvas.noise(rng, float(rng.uniform(12, 40)))
    patches = []
    for _ in range(4):
        other = canvas.noise(rng, float(rng.uniform(12, 40)))
        patches.append(other > best)
        best = torch.maximum(best, other)
    texture = 1 + 0.2 * canvas.noise(rng, 9.0) * rng.uniform(0, 1)
    for image, fat, muscle in zip(canvas.images, contrast["fat"], contrast["muscle"], strict=True):
        palette = np.append([fat, muscle, muscle], rng.uniform(0.03, 0.8, 5) ** 1.3)
        ground, *others = rng.permutation(palette)[:5].tolist()
        image.fill_(ground)
        for patch, bright in zip(patches, others, strict=True):
            image.masked_fill_(patch, bright)
        image.mul_(texture)


def _front_wall(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject
) -> None:
    places = [subject.index(name) for name in _WALL]
    depths = [rng.uniform(*span) for span in _WALL.values()]
    distance = -interpolate(canvas.level, places, depths) - canvas.u
    canvas.paint(-distance, contrast["muscle"])
    canvas.paint(8.0 - distance, contrast["fat"])
    canvas.paint(8.0 + rng.uniform(3, 35) - distance, contrast["air"])


def _chest_and_neck(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject
) -> None:
    half = canvas.along(subject.depth) / 2
    t1, t11 = subject.index("T1"), subject.index("T11")
    if rng.random() < 0.7:
        inside = torch.maximum(t1 - canvas.level, canvas.level - t11) * 20
        beside = canvas.along(subject.width) / 2 + rng.uniform(4, 14) - canvas.w.abs()
        lung = torch.maximum(torch.maximum(inside, beside), canvas.u - rng.uniform(0, 25))
        canvas.paint(lung, contrast["air"] + np.float32(rng.uniform(0, 0.1)))
    neck = (canvas.level - t1) * 15
    front = canvas.u + half
    airway = torch.hypot(front + rng.uniform(10, 18), canvas.w) - rng.uniform(6, 9)
    canvas.paint(torch.maximum(airway, neck), contrast["air"])
    for side in (-1.0, 1.0):
        if rng.random() < 0.8:
            sway = rng.uniform(2, 5) * torch.sin(canvas.s / rng.uniform(30, 60) + rng.uniform(0, 6))
            across = torch.hypot(
                front + rng.uniform(8, 16), canvas.w - side * rng.uniform(2, 16) + sway
            )
            canvas.paint(torch.maximum(across - rng.uniform(6, 13), -neck - 60), contrast["vessel"])
    strip = (front + 2).abs_() - rng.uniform(1, 3)
    canvas.paint(strip, contrast["fat"] if rng.random() < 0.6 else contrast["muscle"])


def _blobs(rng: np.random.Generator, canvas: Canvas, contrast: Contrast) -> None:
    place = (canvas.u, canvas.s, canvas.w)
    middle = float(canvas.s.mean(dtype=torch.float64))
    for _ in range(rng.integers(2, 8)):
        centre = (-rng.uniform(30, 125), middle + rng.uniform(-130, 130), rng.uniform(-35, 35))
        half = (rng.uniform(4, 25), rng.uniform(4, 40), rng.uniform(5, 30))
        high = 0.05 if rng.random() < 0.25 else 0.9
        canvas.paint(
            ellipsoid(place, centre, half), rng.uniform(0, high, contrast.count).astype(np.float32)
        )
    for _ in range(rng.integers(0, 3)):
        u, s, w = -rng.uniform(30, 110), middle + rng.uniform(-80, 80), rng.uniform(-20, 20)
        length, lean, radius = rng.uniform(20, 90), rng.uniform(-20, 20), rng.uniform(3, 12)
        tube = capsule(place, (u, s - length, w), (u + lean, s + length, w), radius)
        bright = (
            contrast["csf"] * rng.uniform(0.5, 1) if rng.random() < 0.5 else contrast["muscle"] * 2
        )
        canvas.paint(tube, bright)
        if rng.random() < 0.5:
            canvas.paint(tube, bright * np.float32(rng.uniform(0.2, 0.8)), inner=-0.5 * radius)


def _back(rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject) -> None:
    half, wide = canvas.along(subject.depth) / 2, canvas.along(subject.width) / 2
    bright = contrast["muscle"]
    reach = rng.uniform(9, 16)
    psoas = torch.hypot(canvas.u + 2, canvas.w.abs() - wide - reach * 0.6) - reach
    canvas.paint(psoas, bright)
    back = half + 4 - canvas.u
    canvas.paint(back, bright)
    streak = canvas.noise(rng, (4.0, 22.0, 3.0)) - rng.uniform(0.6, 2.2)
    canvas.paint(
        torch.maximum(back, -2 * streak), contrast["fat"] * np.float32(rng.uniform(0.5, 1))
    )
    behind = half + canvas.along(subject.canal_ap)
    mix = np.float32(rng.uniform(0, 1))
    plate = torch.maximum(canvas.w.abs() - rng.uniform(1.5, 4.5), behind + 2 - canvas.u)
    canvas.paint(plate, contrast["fat"] * mix + contrast["ligament"] * (1 - mix))
    sheet = (canvas.u - behind - 7 + canvas.w.abs() * 0.3).abs_() - rng.uniform(1, 3.5)
    canvas.paint(torch.maximum(sheet, canvas.w.abs() - wide), contrast["fat"])
    lean = np.cos(np.radians(subject.spinous_declination))
    tip = behind + canvas.along(subject.spinous_length * lean) + rng.uniform(-2, 4)
    fascia = tip - canvas.u
    thick = rng.uniform(2, 30) * (1 + 0.12 * canvas.noise(rng, 40.0)) + 2
    canvas.paint(fascia, contrast["fat"] * np.float32(1.2 if rng.random() < 0.4 else 1.0))
    if rng.random() < 0.6:
        canvas.paint(fascia.abs() - 0.8, contrast["ligament"])
    if rng.random() < 0.35:
        canvas.paint(
            (fascia + rng.uniform(1, 6)).abs_() - rng.uniform(0.5, 2), contrast["csf"] * 0.8
        )
    septa = torch.maximum(canvas.noise(rng, (12.0, 14.0, 8.0)).abs_() - 0.12, fascia)
    if rng.random() < 0.5:
        canvas.paint(septa, contrast["ligament"] * 2)
    canvas.paint(fascia + thick, contrast["air"])


def paint_surroundings(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject
) -> None:
    """Paint body wall, chest, vessels, blobs, muscles, fat and skin.

    Parameters
    ----------
    rng : numpy Generator
        Source of randomness.
    canvas : Canvas
        Painted in place.
    contrast : Contrast
        Brightness per tissue.
    subject : Subject
        Sizes of the spine that the tissues keep clear of.
    """
    paint_organs(rng, canvas, contrast)
    _chest_and_neck(rng, canvas, contrast, subject)
    _blobs(rng, canvas, contrast)
    _front_wall(rng, canvas, contrast, subject)
    _back(rng, canvas, contrast, subject)
    _paint_head(rng, canvas, contrast, subject)


def _paint_head(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject
) -> None:
    """Paint skull, brain and face above and in front of C1; nothing of it is labelled."""
    top = float(subject.curve.level_s[0])
    if float(canvas.s.min()) > top + 20:
        return
    p0, i0, r0, tilt, _ = subject.curve.at(top - 14)
    lean = rng.uniform(-0.2, 0.2) + tilt
    dp, di, dr = (x - o for x, o in zip(canvas.place, (p0, i0, r0), strict=True))
    a, b = _turned(dp, di, lean)
    neck = torch.hypot(a - 4, dr) - 26
    face = torch.maximum(torch.maximum(b - 75, a + 14), -neck)
    parts = canvas.noise(rng, (14.0, 9.0, 16.0)).abs_() - rng.uniform(0.2, 0.6)
    for tissue in rng.permutation(["fat", "muscle", "air", "cord"]):
        patch = 4 * (canvas.noise(rng, (16.0, 10.0, 18.0)) - rng.uniform(-0.2, 0.6))
        canvas.paint(torch.maximum(face, patch), contrast[tissue])
    canvas.paint(torch.maximum(face, 4 * parts), contrast["ligament"])
    half = (rng.uniform(80, 100), rng.uniform(58, 75), rng.uniform(60, 75))
    skull = ellipsoid((a, b, dr), (rng.uniform(-25, 5), -half[1] - rng.uniform(-4, 6), 0), half)
    skull = skull + 1.5 * canvas.noise(rng, 20.0)
    for depth, tissue in ((0, "fat"), (5, "cortex"), (7, "marrow"), (10, "cortex"), (12, "csf")):
        canvas.paint(skull, contrast[tissue], inner=-float(depth))
    brain = contrast["cord"] * np.float32(rng.uniform(0.8, 1.3))
    canvas.paint(skull, brain, inner=-14.0)
    white = torch.maximum(skull + 20, 3 * canvas.noise(rng, 12.0))
    canvas.paint(white, brain * np.float32(rng.uniform(0.7, 1.4)))
    folds = 3 * (canvas.noise(rng, (8.0, 9.0, 9.0)).abs_() - rng.uniform(0.1, 0.3))
    folds = torch.maximum(skull + 14, folds)
    canvas.paint(folds, contrast["csf"] * np.float32(rng.uniform(0.4, 1)))
    ends = torch.maximum(b - 2, -b - 45)
    stem = torch.maximum(torch.hypot(a - 6, dr) - rng.uniform(9, 14), ends)
    canvas.paint(torch.maximum(skull + 10, stem), brain)


def _turned(p: Tensor, i: Tensor, angle: float) -> tuple[Tensor, Tensor]:
    """Coordinates in a frame that is rotated in the sagittal plane."""
    cos, sin = math.cos(angle), math.sin(angle)
    return p * cos - i * sin, p * sin + i * cos


def _fake_stack(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, place: tuple[Tensor, ...]
) -> None:
    """Blocks in a row without canal or arches: teeth, bowel loops, muscle bellies."""
    angle, gap = rng.uniform(-1.6, 1.6), rng.uniform(8, 40)
    a, b = _turned(place[0], place[1], angle)
    a = a - rng.uniform(-60, 60)
    wave = torch.cos(b * (2 * math.pi / gap) + 0.4 * canvas.noise(rng, 20.0))
    inside = torch.maximum(a.abs() - rng.uniform(6, 22), b.abs() - rng.uniform(30, 90))
    inside = torch.maximum(inside, place[2].abs() - rng.uniform(10, 40))
    first, second = rng.choice(["fat", "muscle", "marrow", "nucleus", "cord", "ligament"], 2)
    canvas.paint(inside, contrast[first])
    canvas.paint(torch.maximum(inside, (wave - rng.uniform(-0.6, 0.8)) * 4), contrast[second])


def paint_no_spine(rng: np.random.Generator, canvas: Canvas, contrast: Contrast) -> None:
    """Paint a field without a spine: organs, blobs, sometimes layered balls (heads, joints)."""
    paint_organs(rng, canvas, contrast)
    _blobs(rng, canvas, contrast)
    p, i, r = (x - x.mean(dtype=torch.float64) for x in canvas.place)
    for _ in range(rng.integers(0, 3)):
        _fake_stack(rng, canvas, contrast, (p, i, r))
    for _ in range(rng.integers(0, 4)):
        size = rng.uniform(15, 95)
        centre = rng.uniform(-50, 50, 2)
        half = (
            size * rng.uniform(0.7, 1),
            size * rng.uniform(0.7, 1.3),
            size * rng.uniform(0.7, 1),
        )
        ball = ellipsoid((p, i, r), (centre[0], centre[1], rng.uniform(-20, 20)), half)
        ball = ball + canvas.noise(rng, 15.0)
        for depth in (0.0, *np.cumsum(rng.uniform(1.5, 7, rng.integers(1, 5)))):
            tissue = rng.choice(["fat", "cortex", "csf", "muscle", "marrow", "cord"])
            canvas.paint(ball, contrast[tissue], inner=-float(depth))
        folds = canvas.noise(rng, float(rng.uniform(5, 14))).abs_() - rng.uniform(0.1, 0.4)
        bright = contrast["csf"] * np.float32(rng.uniform(0.2, 1))
        canvas.paint(torch.maximum(ball + 10, 3 * folds), bright)
    if rng.random() < 0.5:
        outside = -ellipsoid((p, i, r), (0, 0, 0), rng.uniform(60, 120, 3).tolist())
        canvas.paint(outside, contrast["air"])
