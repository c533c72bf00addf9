"""Metal leaves dark holes in the picture and the labels alone."""

from __future__ import annotations

import numpy as np

from app.research.synthetic.canvas import Field, blank_canvas
from app.research.synthetic.contrast import draw_contrast
from app.research.synthetic.implants import paint_implants
from app.research.synthetic.subject import draw_subject


def test_implants_darken_a_bright_canvas_and_label_nothing() -> None:
    darkened = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        subject = draw_subject(rng)
        s = float(subject.curve.level_s[subject.index("L3")])
        field = Field((18, 110, 90), (3.0, 1.6, 1.6), s, (0.0, 10.0), 0.0)
        canvas = blank_canvas(rng, subject, field, 1)
        canvas.images[:] = 0.5
        paint_implants(rng, canvas, draw_contrast(rng, "t2_plain", 1), subject)
        darkened.append(float((canvas.images[0] < 0.1).float().mean()))
        assert not canvas.labels.any()
    assert all(0.0005 < share < 0.08 for share in darkened)
