"""Everything around the spine that must not be called spine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from app.synthetic.primitives import capsule, ellipsoid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from app.synthetic.canvas import Canvas
    from app.synthetic.contrast import Contrast
    from app.synthetic.subject import Subject

    Array = NDArray[np.floating]

_WALL = {"C2": (35, 60), "T1": (45, 80), "T6": (110, 170), "L1": (70, 170), "S1": (60, 150)}


def paint_organs(rng: np.random.Generator, canvas: Canvas, contrast: Contrast) -> None:
    """Patches of random brightness everywhere: the background that all else is painted on."""
    best = canvas.noise(rng, float(rng.uniform(12, 40)))
    patch = np.zeros(best.shape, dtype=np.int8)
    for number in range(1, 5):
        other = canvas.noise(rng, float(rng.uniform(12, 40)))
        patch[other > best] = number
        best = np.maximum(best, other)
    texture = 1 + 0.2 * canvas.noise(rng, 9.0) * rng.uniform(0, 1)
    for image, fat, muscle in zip(canvas.images, contrast["fat"], contrast["muscle"], strict=True):
        palette = np.append([fat, muscle, muscle], rng.uniform(0.03, 0.8, 5) ** 1.3)
        image[:] = rng.permutation(palette)[:5].astype(np.float32)[patch] * texture


def _front_wall(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject
) -> None:
    places = [subject.index(name) for name in _WALL]
    depths = [rng.uniform(*span) for span in _WALL.values()]
    distance = -np.interp(canvas.level, places, depths).astype(np.float32) - canvas.u
    canvas.paint(-distance, contrast["muscle"])
    canvas.paint(8.0 - distance, contrast["fat"])
    canvas.paint(np.float32(8.0 + rng.uniform(3, 35)) - distance, contrast["air"])


def _chest_and_neck(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject
) -> None:
    half = canvas.along(subject.depth) / 2
    t1, t11 = subject.index("T1"), subject.index("T11")
    if rng.random() < 0.7:
        inside = np.maximum(t1 - canvas.level, canvas.level - t11) * 20
        beside = canvas.along(subject.width) / 2 + rng.uniform(4, 14) - np.abs(canvas.w)
        lung = np.maximum(np.maximum(inside, beside), canvas.u - rng.uniform(0, 25))
        canvas.paint(lung, contrast["air"] + rng.uniform(0, 0.1))
    neck = (canvas.level - t1) * 15
    front = canvas.u + half
    airway = np.hypot(front + rng.uniform(10, 18), canvas.w) - rng.uniform(6, 9)
    canvas.paint(np.maximum(airway, neck), contrast["air"])
    for side in (-1.0, 1.0):
        if rng.random() < 0.8:
            sway = rng.uniform(2, 5) * np.sin(canvas.s / rng.uniform(30, 60) + rng.uniform(0, 6))
            across = np.hypot(
                front + rng.uniform(8, 16), canvas.w - side * rng.uniform(2, 16) + sway
            )
            canvas.paint(np.maximum(across - rng.uniform(6, 13), -neck - 60), contrast["vessel"])
    strip = np.abs(front + 2) - rng.uniform(1, 3)
    canvas.paint(strip, contrast["fat"] if rng.random() < 0.6 else contrast["muscle"])


def _blobs(rng: np.random.Generator, canvas: Canvas, contrast: Contrast) -> None:
    place = (canvas.u, canvas.s, canvas.w)
    middle = float(canvas.s.mean())
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
        canvas.paint(tube, bright.astype(np.float32))
        if rng.random() < 0.5:
            canvas.paint(tube, bright * np.float32(rng.uniform(0.2, 0.8)), inner=-0.5 * radius)


def _back(rng: np.random.Generator, canvas: Canvas, contrast: Contrast, subject: Subject) -> None:
    half, wide = canvas.along(subject.depth) / 2, canvas.along(subject.width) / 2
    bright = contrast["muscle"]
    reach = rng.uniform(9, 16)
    psoas = np.hypot(canvas.u + 2, np.abs(canvas.w) - wide - reach * 0.6) - reach
    canvas.paint(psoas, bright)
    back = half + 4 - canvas.u
    canvas.paint(back, bright)
    streak = canvas.noise(rng, (4.0, 22.0, 3.0)) - rng.uniform(0.6, 2.2)
    canvas.paint(np.maximum(back, -2 * streak), contrast["fat"] * np.float32(rng.uniform(0.5, 1)))
    behind = half + canvas.along(subject.canal_ap)
    mix = np.float32(rng.uniform(0, 1))
    plate = np.maximum(np.abs(canvas.w) - rng.uniform(1.5, 4.5), behind + 2 - canvas.u)
    canvas.paint(plate, contrast["fat"] * mix + contrast["ligament"] * (1 - mix))
    sheet = np.abs(canvas.u - behind - 7 + np.abs(canvas.w) * 0.3) - rng.uniform(1, 3.5)
    canvas.paint(np.maximum(sheet, np.abs(canvas.w) - wide), contrast["fat"])
    lean = np.cos(np.radians(subject.spinous_declination))
    tip = behind + canvas.along(subject.spinous_length * lean) + rng.uniform(-2, 4)
    fascia = tip - canvas.u
    thick = rng.uniform(2, 30) * (1 + 0.12 * canvas.noise(rng, 40.0)) + 2
    canvas.paint(fascia, contrast["fat"] * np.float32(1.2 if rng.random() < 0.4 else 1.0))
    if rng.random() < 0.6:
        canvas.paint(np.abs(fascia) - 0.8, contrast["ligament"])
    if rng.random() < 0.35:
        canvas.paint(
            np.abs(fascia + rng.uniform(1, 6)) - rng.uniform(0.5, 2), contrast["csf"] * 0.8
        )
    septa = np.maximum(np.abs(canvas.noise(rng, (12.0, 14.0, 8.0))) - 0.12, fascia)
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
    dp, di, dr = (x - np.float32(o) for x, o in zip(canvas.place, (p0, i0, r0), strict=True))
    a, b = dp * np.cos(lean) - di * np.sin(lean), dp * np.sin(lean) + di * np.cos(lean)
    neck = np.hypot(a - 4, dr) - 26
    face = np.maximum(np.maximum(b - 75, a + 14), -neck)
    parts = np.abs(canvas.noise(rng, (14.0, 9.0, 16.0))) - rng.uniform(0.2, 0.6)
    for tissue in rng.permutation(["fat", "muscle", "air", "cord"]):
        patch = np.maximum(
            face, 4 * (canvas.noise(rng, (16.0, 10.0, 18.0)) - rng.uniform(-0.2, 0.6))
        )
        canvas.paint(patch, contrast[tissue])
    canvas.paint(np.maximum(face, 4 * parts), contrast["ligament"])
    half = (rng.uniform(80, 100), rng.uniform(58, 75), rng.uniform(60, 75))
    skull = ellipsoid((a, b, dr), (rng.uniform(-25, 5), -half[1] - rng.uniform(-4, 6), 0), half)
    skull = skull + 1.5 * canvas.noise(rng, 20.0)
    for depth, tissue in ((0, "fat"), (5, "cortex"), (7, "marrow"), (10, "cortex"), (12, "csf")):
        canvas.paint(skull, contrast[tissue], inner=-float(depth))
    brain = contrast["cord"] * np.float32(rng.uniform(0.8, 1.3))
    canvas.paint(skull, brain, inner=-14.0)
    white = np.maximum(skull + 20, 3 * canvas.noise(rng, 12.0))
    canvas.paint(white, brain * np.float32(rng.uniform(0.7, 1.4)))
    folds = np.maximum(
        skull + 14, 3 * (np.abs(canvas.noise(rng, (8.0, 9.0, 9.0))) - rng.uniform(0.1, 0.3))
    )
    canvas.paint(folds, contrast["csf"] * np.float32(rng.uniform(0.4, 1)))
    stem = np.maximum(np.hypot(a - 6, dr) - rng.uniform(9, 14), np.maximum(b - 2, -b - 45))
    canvas.paint(np.maximum(skull + 10, stem), brain)


def _fake_stack(
    rng: np.random.Generator, canvas: Canvas, contrast: Contrast, place: tuple[Array, ...]
) -> None:
    """Blocks in a row without canal or arches: teeth, bowel loops, muscle bellies."""
    angle, gap = rng.uniform(-1.6, 1.6), rng.uniform(8, 40)
    a = place[0] * np.cos(angle) - place[1] * np.sin(angle) - rng.uniform(-60, 60)
    b = place[0] * np.sin(angle) + place[1] * np.cos(angle)
    wave = np.cos(b * np.float32(2 * np.pi / gap) + 0.4 * canvas.noise(rng, 20.0))
    inside = np.maximum(np.abs(a) - rng.uniform(6, 22), np.abs(b) - rng.uniform(30, 90))
    inside = np.maximum(inside, np.abs(place[2]) - rng.uniform(10, 40))
    first, second = rng.choice(["fat", "muscle", "marrow", "nucleus", "cord", "ligament"], 2)
    canvas.paint(inside, contrast[first])
    canvas.paint(np.maximum(inside, (wave - rng.uniform(-0.6, 0.8)) * 4), contrast[second])


def paint_no_spine(rng: np.random.Generator, canvas: Canvas, contrast: Contrast) -> None:
    """Paint a field without a spine: organs, blobs, sometimes layered balls (heads, joints)."""
    paint_organs(rng, canvas, contrast)
    _blobs(rng, canvas, contrast)
    p, i, r = (x - np.float32(x.mean()) for x in canvas.place)
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
        folds = np.abs(canvas.noise(rng, float(rng.uniform(5, 14)))) - rng.uniform(0.1, 0.4)
        canvas.paint(
            np.maximum(ball + 10, 3 * folds), contrast["csf"] * np.float32(rng.uniform(0.2, 1))
        )
    if rng.random() < 0.5:
        outside = -ellipsoid((p, i, r), (0, 0, 0), tuple(rng.uniform(60, 120, 3)))
        canvas.paint(outside, contrast["air"])
