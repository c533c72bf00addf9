"""Paint has soft edges of a known width, labels hard ones; a straight spine has straight axes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from app.research.synthetic.canvas import Canvas, Field, blank_canvas
from app.research.synthetic.subject import Subject, draw_subject


def blank(seed: int, renderings: int = 1) -> tuple[Canvas, Subject]:
    rng = np.random.default_rng(seed)
    subject = draw_subject(rng)
    s = float(subject.curve.level_s[subject.index("L2")])
    field = Field((10, 60, 50), (4.0, 3.0, 3.0), s, (0.0, 20.0), 0.05)
    return blank_canvas(rng, subject, field, renderings), subject


def test_an_edge_is_half_painted_at_its_distance_and_3_2_edges_wide() -> None:
    canvas, _ = blank(1, renderings=2)
    canvas.images[:] = 0.2
    line = torch.linspace(-4, 4, 50).expand(canvas.labels.shape)
    canvas.paint(line, np.float32([1.0, 0.4]), inner=0.5)
    share = np.clip(0.5 + (0.5 - line[0, 0].numpy()) / (3.2 * canvas.edge), 0, 1)
    for image, bright in zip(canvas.images, (1.0, 0.4), strict=True):
        assert image[3, 7].numpy() == pytest.approx(0.2 + share * (bright - 0.2), abs=1e-5)


def test_a_texture_scales_the_paint_and_a_box_bounds_it() -> None:
    canvas, _ = blank(2)
    box = (slice(None), slice(10, 20), slice(5, 9))
    inside = torch.full((10, 10, 4), -9.0)
    texture = torch.rand(10, 10, 4)
    canvas.paint(inside, np.float32([0.5]), box, texture=texture)
    assert torch.allclose(canvas.images[0][box], 0.5 * texture)
    canvas.label(texture > 0.5, 49, 20, box)
    assert int((canvas.labels == 49).sum()) == int((texture > 0.5).sum())
    assert torch.equal(canvas.instances == 20, canvas.labels == 49)
    canvas.images[0][box] = 0
    assert not canvas.images.any()


def test_along_the_spine_the_coordinate_grows_1_mm_per_mm_and_levels_sit_at_their_centres() -> None:
    for seed in range(4):
        canvas, subject = blank(seed)
        near = (canvas.u.abs() < 8) & (canvas.w.abs() < 8)
        step = canvas.s[:, 1:].sub(canvas.s[:, :-1])[near[:, 1:] & near[:, :-1]].median()
        tilt = float(np.interp(canvas.s[near].mean(), subject.curve.s, subject.curve.tilt))
        assert float(step) == pytest.approx(3 * np.cos(tilt + 0.05), rel=0.1)
        names = subject.index("L2")
        assert float(canvas.along(np.arange(len(subject.levels)) ** 2.0).max()) > names**2
        depth = canvas.along(subject.depth)
        assert subject.depth.min() - 1e-3 <= float(depth.min())
        assert float(depth.max()) <= subject.depth.max() + 1e-3


def test_the_middle_slice_is_kept_for_decisions_on_the_cpu() -> None:
    canvas, _ = blank(3)
    for kept, place in zip(canvas.middle, canvas.place[:2], strict=True):
        assert np.array_equal(kept, place[5].numpy())
