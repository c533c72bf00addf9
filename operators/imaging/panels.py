"""One section of the image as an RGB picture: grey values, coloured labels, names on the bones.

True proportions: a millimetre is as many pixels in every panel of a sheet. Which section is shown
is the business of ``curved_view``, where panels stand on a sheet that of ``overlay``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw

from operators.anatomy.labels import SACRUM_INSTANCE, Structure
from operators.anatomy.levels import short_name
from operators.anatomy.vertebrae import vertebrae_among
from operators.imaging.fonts import font

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from operators.anatomy.colours import Rgb

    Labels = NDArray[np.unsignedinteger]

_FILL_ALPHA, _LINE_ALPHA = 0.42, 0.95
_GAMMA: Final = 0.8
"""Lifts bone, which is dark beside cerebrospinal fluid in T2w."""
_NAMED_MM2: Final = 40.0
"""Smaller pieces of a vertebra have no room for its name; an arch of C1 in the middle has 50."""


@dataclass(frozen=True, slots=True)
class Section:
    """One section of image and maps.

    Attributes
    ----------
    image : (I, X) ndarray of float32
        Grey values.
    semantic, instances : (I, X) ndarray
        Labels on the same grid.
    spacing_mm : tuple of 2 float
        Along rows down and columns to the right.
    edges : str
        Patient directions at the top, bottom, left and right edge, such as ``"SIAP"``.
    """

    image: NDArray[np.float32]
    semantic: Labels
    instances: Labels
    spacing_mm: tuple[float, float]
    edges: str

    def size_px(self, px_per_mm: float) -> tuple[int, int]:
        """Width and height at a scale."""
        height, width = self.image.shape
        down, across = self.spacing_mm
        return max(1, round(width * across * px_per_mm)), max(1, round(height * down * px_per_mm))

    def shown(self, px_per_mm: float, window: tuple[float, float]) -> Image.Image:
        """Grey values of a window as a picture, with the directions at its edges."""
        low, high = window
        grey = Image.fromarray(self.image, mode="F")
        grey = grey.resize(self.size_px(px_per_mm), Image.Resampling.BICUBIC)
        share = np.clip((np.asarray(grey) - low) / (high - low), 0.0, 1.0) ** _GAMMA
        return Image.fromarray(np.rint(share * 255.0).astype(np.uint8)).convert("RGB")

    def lettered(self, picture: Image.Image, size_px: float) -> Image.Image:
        """Write the patient directions at the edges of a panel."""
        width, height = picture.size
        inset = size_px
        letters = self.edges if width > 4 * size_px else self.edges[:2]
        places = (
            (width / 2, inset),
            (width / 2, height - inset),
            (inset, height / 2),
            (width - inset, height / 2),
        )
        draw = ImageDraw.Draw(picture)
        for letter, place in zip(letters, places, strict=False):
            _write(draw, letter, place, size_px)
        return picture

    def painted(
        self, picture: Image.Image, labels: Labels, colour: Callable[[int], Rgb]
    ) -> Image.Image:
        """Lay translucent areas with thin opaque outlines over a panel."""
        fine = np.asarray(
            Image.fromarray(labels.astype(np.uint8)).resize(picture.size, Image.Resampling.NEAREST)
        )
        padded = np.pad(fine, 1, mode="edge")
        edge = np.zeros(fine.shape, dtype=bool)
        for neighbour in (padded[2:, 1:-1], padded[:-2, 1:-1], padded[1:-1, 2:], padded[1:-1, :-2]):
            edge |= neighbour != fine
        table = np.zeros((256, 3), dtype=np.float32)
        for label in np.unique(fine):
            if label:
                table[label] = colour(int(label))
        alpha = np.where(edge, np.float32(_LINE_ALPHA), np.float32(_FILL_ALPHA)) * (fine > 0)
        under = np.asarray(picture, dtype=np.float32)
        mixed = under + (table[fine] - under) * alpha[..., None]
        return Image.fromarray(np.rint(mixed).astype(np.uint8))

    def named(self, picture: Image.Image, levels: Mapping[int, str], size_px: float) -> Image.Image:
        """Write what is said about each level on its body, where the section shows it."""
        draw = ImageDraw.Draw(picture)
        across, down = (a / b for a, b in zip(picture.size, self.image.shape[::-1], strict=True))
        for instance in (*vertebrae_among(np.unique(self.instances).tolist()), SACRUM_INSTANCE):
            here = self.instances == instance
            bodies = here & (self.semantic == Structure.CORPUS)
            rows, columns = np.nonzero(bodies if bodies.any() else here)
            if rows.size * self.spacing_mm[0] * self.spacing_mm[1] >= _NAMED_MM2:
                place = (np.median(columns) + 0.5) * across, (np.median(rows) + 0.5) * down
                _write(draw, short_name(instance, levels), place, size_px)
        return picture


def window_of(image: NDArray[np.float32]) -> tuple[float, float]:
    """Grey values that are drawn black and white: the 1st and the 99th percentile."""
    low, high = (float(value) for value in np.percentile(image, (1.0, 99.0)))
    return low, high if high > low else low + 1.0


def present(labels: Labels) -> Iterable[int]:
    """Labels that occur, without the background."""
    return [int(label) for label in np.unique(labels) if label]


def _write(
    draw: ImageDraw.ImageDraw, text: str, place: tuple[float, float], size_px: float
) -> None:
    face = font(size_px, bold=True)
    reach = face.getlength(text) / 2 + 3, size_px / 2 + 3
    sheet = draw.im.size  # names stay inside, whole
    x, y = (
        min(max(p, r), n - r) if n > 2 * r else n / 2
        for p, r, n in zip(place, reach, sheet, strict=True)
    )
    draw.text(
        (x, y),
        text,
        font=face,
        fill="white",
        anchor="mm",
        stroke_width=max(2, round(size_px / 9)),
        stroke_fill="black",
    )
