"""The cord ends at the conus, inside of the canal; foramina hold fat and no label."""

from __future__ import annotations

import numpy as np
import torch

from app.research.synthetic.canal import paint_canal
from app.research.synthetic.canvas import Canvas, Field, blank_canvas
from app.research.synthetic.contrast import draw_contrast
from app.research.synthetic.subject import Subject, draw_subject
from operators.anatomy.labels import Structure


def painted(seed: int, level: str) -> tuple[Canvas, Subject]:
    rng = np.random.default_rng(seed)
    subject = draw_subject(rng)
    s = float(subject.curve.level_s[subject.index(level)])
    field = Field((20, 130, 70), (2.5, 1.4, 1.4), s, (0.0, 20.0), 0.0)
    canvas = blank_canvas(rng, subject, field, 1)
    paint_canal(rng, canvas, draw_contrast(rng, "t2_plain", 1), subject)
    return canvas, subject


def test_the_cord_ends_between_t12_and_l3_and_thins_towards_its_tip() -> None:
    for seed in range(5):
        canvas, subject = painted(seed, "L1")
        cord = canvas.labels == Structure.CORD
        tip = float(canvas.level[0][cord.any(dim=0)].max())
        assert subject.index("T11") < tip < subject.index("L3")
        area = cord.sum(dim=(0, 2)).numpy()
        rows = np.flatnonzero(area)
        assert area[rows[-6:]].mean() < 0.6 * area[rows[:20]].mean()


def test_below_the_conus_the_canal_goes_on_without_cord() -> None:
    canvas, subject = painted(3, "L4")
    below = torch.broadcast_to(canvas.level > subject.index("L4"), canvas.labels.shape)
    assert (canvas.labels[below] == Structure.CANAL).any()
    assert not (canvas.labels[below] == Structure.CORD).any()


def test_nothing_is_labelled_above_the_foramen_magnum_or_beside_the_canal() -> None:
    canvas, subject = painted(4, "C1")
    above = canvas.s < subject.curve.level_s[0] - 14
    assert not canvas.labels[above].any()
    canvas, subject = painted(5, "L3")
    lateral = canvas.w.abs() > subject.canal_width.max() / 2 + 2
    assert not canvas.labels[lateral].any()
    assert (canvas.images[0][lateral] > 0.4).any()  # fat in the foramina
