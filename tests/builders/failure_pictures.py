"""The picture of failures in docs/reading-results.md: true masks spoiled on purpose.

``python -m tests.builders.failure_pictures`` writes it: a synthetic spine as it should be, and four
results as networks fail, each drawn as the product draws it, with what the quality gate says.
"""

from __future__ import annotations

import textwrap
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from operators.anatomy.colours import instance_colour
from operators.imaging.fonts import font
from operators.imaging.scene import scene_of
from operators.spine.quality.assess import assess
from operators.spine.quality.evidence import Evidence
from tests.benchmarks.gate_spines import spine
from tests.builders.spoiled_results import Result, half_body, merged, removed, shifted

PICTURE = Path(__file__).parents[2] / ".github" / "img" / "failures.png"
SEED = 950_300
"""A lumbar field; takes part in no training."""

FAILURES = {
    "as it should be": lambda result, _rng: result,
    "two vertebrae called one": partial(merged, disc_kept=False),
    "a vertebra left out": removed,
    "half of a body": half_body,
    "masks beside the image": shifted,
}
PX_PER_MM, LETTERS_PX, GAP_PX, WORDS_PX = 2.0, 15, 12, 150


def panel_of(name: str, result: Result) -> Image.Image:
    """Mid-sagittal section with the vertebrae; below it what the gate finds."""
    scene = scene_of(result.volume, result.semantic, result.instances)
    plain = scene.middle.shown(PX_PER_MM, scene.window)
    colour = partial(instance_colour, tones=scene.tones)
    painted = scene.middle.painted(plain, scene.middle.instances, colour)
    drawn = scene.middle.named(painted, scene.levels, LETTERS_PX)
    quality = assess(Evidence.of(result.semantic, result.instances, result.volume))
    panel = Image.new("RGB", (drawn.width, drawn.height + WORDS_PX), "white")
    panel.paste(drawn, (0, 0))
    draw = ImageDraw.Draw(panel)
    width = int(drawn.width / font(13).getlength("n"))
    said = [f"{quality.outcome}:", *quality.sentences] if quality.sentences else ["no finding"]
    lines = [line for sentence in said for line in textwrap.wrap(sentence, width)]
    draw.text((2, drawn.height + 6), name, font=font(LETTERS_PX, bold=True), fill="black")
    for number, line in enumerate(lines[:7]):
        draw.text((2, drawn.height + 28 + 16 * number), line, font=font(13), fill="black")
    return panel


def picture() -> Image.Image:
    """Draw all of them side by side."""
    clean = spine(SEED)
    panels = []
    for name, spoil in FAILURES.items():
        result = spoil(clean, np.random.default_rng(SEED))
        assert result is not None, name
        panels.append(panel_of(name, result))
    width = sum(panel.width for panel in panels) + GAP_PX * (len(panels) - 1)
    whole = Image.new("RGB", (width, max(panel.height for panel in panels)), "white")
    left = 0
    for panel in panels:
        whole.paste(panel, (left, 0))
        left += panel.width + GAP_PX
    return whole


if __name__ == "__main__":
    picture().save(PICTURE, optimize=True)
