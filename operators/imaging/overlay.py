"""Pictures of a result: sections along the spine with structures and levels laid over the image.

For people: what was found, where, and in which colour. The sections follow a spine that bends to
the side (``curved_view``); directions are those of a radiologist's screen (anterior left, superior
up; the patient's right on the left of coronal panels), proportions are true. No measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageOps

from operators.anatomy.codes import STRUCTURES
from operators.anatomy.colours import STRUCTURE_COLOURS, Rgb, instance_colour
from operators.anatomy.labels import SACRUM_INSTANCE
from operators.anatomy.vertebrae import ordinal_text
from operators.imaging.fonts import font

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operators.imaging.panels import Section
    from operators.imaging.scene import Scene

_GROUND, _INK, _QUIET, _WARNING = "#101418", "#f2f4f6", "#9aa5b1", "#ffb4a2"
_PANEL_HEIGHT_PX: Final = 640
_MAX_PANEL_ASPECT: Final = 1.1
_PAGE_HEIGHT_PX, _PAGE_LETTERS_PX = 1024, 27
"""Of a printed page, whose width the panels fill: letters then are 2 mm high."""
_GAP_PX, _MARGIN_PX, _HEAD_PX, _TITLE_PX = 8, 36, 24, 46
_LEGEND_PX: Final = 350
_LINE_PX: Final = 20
_DEFLATE: Final = 3
"""Level of compression: a third of the time of the usual 6 for a sixth more bytes."""
_JPEG_QUALITY: Final = 90
_SMALL, _NORMAL, _LARGE = 13, 15, 19


@dataclass(frozen=True, slots=True)
class _Scale:
    """Pixels per mm, and the height of letters on panels."""

    px_per_mm: float
    letters_px: int

    @classmethod
    def of(cls, section: Section, height_px: int, letters_px: int) -> _Scale:
        """Scale at which panels have a height, or less where they would be very wide."""
        (height, width), (down, across) = section.image.shape, section.spacing_mm
        widest = _MAX_PANEL_ASPECT * height_px
        return cls(min(height_px / (height * down), widest / (width * across)), letters_px)


@dataclass(frozen=True, slots=True)
class _Group:
    """Panels of one section, side by side, by what they show."""

    place: str
    panels: Mapping[str, Image.Image]

    @property
    def width(self) -> int:
        return sum(map(self.pitch, self.panels))

    def pitch(self, name: str) -> int:
        """From the left edge of a panel to that of the next; its name has room above it."""
        words = font(_NORMAL).getlength(name.capitalize())
        return max(self.panels[name].width, round(words)) + _GAP_PX

    @property
    def height(self) -> int:
        return max(panel.height for panel in self.panels.values())


def overview_png(scene: Scene, title: str, notice: str) -> bytes:
    """Picture for a screen: three sections, plain and with structures and levels, and a legend.

    Parameters
    ----------
    scene : Scene
        What to show.
    title : str
        First line of the picture; free of patient data.
    notice : str
        Last line: what the result may be used for; may be empty.

    Returns
    -------
    bytes
        PNG; the same input gives the same bytes with the same versions of Pillow and zlib.
    """
    return _png(overview(scene, title, notice))


def overview(scene: Scene, title: str, notice: str) -> Image.Image:
    """Picture of `overview_png` as an RGB image."""
    scale = _Scale.of(scene.middle, _PANEL_HEIGHT_PX, _NORMAL)
    middle, lateral, coronal = scene.places
    everything = ("image", "structures", "levels")
    rows = (
        (_Group(middle, _drawn(scene, scene.middle, scale, everything)),),
        (
            _Group(lateral, _drawn(scene, scene.lateral, scale, everything[:2])),
            _Group(coronal, _drawn(scene, scene.coronal, scale, everything)),
        ),
    )
    sheet, draw = _sheet(rows, scene)
    draw.text((_MARGIN_PX, 14), title, font=font(_LARGE, bold=True), fill=_INK)
    lines = _wrapped(notice, sheet.width - 2 * _MARGIN_PX)
    first = sheet.height - 28
    sheet = ImageOps.expand(sheet, (0, 0, 0, _LINE_PX * (len(lines) - 1)), _GROUND)
    draw = ImageDraw.Draw(sheet)
    for n, line in enumerate(lines):
        draw.text((_MARGIN_PX, first + n * _LINE_PX), line, font=font(_NORMAL), fill=_WARNING)
    return sheet


def _wrapped(text: str, width_px: int) -> list[str]:
    """Lines that fit; an intended use may be as long as three."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font(_NORMAL).getlength(longer) > width_px:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def page_jpeg(scene: Scene) -> bytes:
    """Picture for a printed page: mid-sagittal plain, with structures, with levels; coronal.

    Returns
    -------
    bytes
        JPEG without title and legend: an illustration of 0.4 MB instead of 1.5, on which nobody
        reads a scan.
    """
    scale = _Scale.of(scene.middle, _PAGE_HEIGHT_PX, _PAGE_LETTERS_PX)
    panels = (
        *_drawn(scene, scene.middle, scale, ("image", "structures", "levels")).values(),
        *_drawn(scene, scene.coronal, scale, ("image", "levels")).values(),
    )
    width = sum(panel.width for panel in panels) + _GAP_PX * (len(panels) - 1)
    page = Image.new("RGB", (width, max(panel.height for panel in panels)), "white")
    left = 0
    for panel in panels:
        page.paste(panel, (left, 0))
        left += panel.width + _GAP_PX
    buffer = BytesIO()
    page.save(buffer, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()


def _drawn(
    scene: Scene, section: Section, scale: _Scale, kinds: Sequence[str]
) -> dict[str, Image.Image]:
    """Draw a section in several ways: ``image``, ``structures``, ``levels``."""
    plain = section.shown(scale.px_per_mm, scene.window)
    panels = {}
    for kind in kinds:
        if kind == "image":
            panels[kind] = section.lettered(plain.copy(), scale.letters_px)
        elif kind == "structures":
            panels[kind] = section.painted(plain, section.semantic, STRUCTURE_COLOURS.__getitem__)
        else:
            colour = partial(instance_colour, tones=scene.tones)
            panel = section.painted(plain, section.instances, colour)
            panels[kind] = section.named(panel, scene.levels, scale.letters_px)
    return panels


def _sheet(
    rows: Sequence[Sequence[_Group]], scene: Scene
) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Place panels and legend."""
    panels_width = max(sum(g.width for g in groups) for groups in rows)
    heights = [max(g.height for g in groups) + 2 * _HEAD_PX + _GAP_PX for groups in rows]
    right = _MARGIN_PX + panels_width + _GAP_PX
    lines = _legend_lines(scene)
    height = max(sum(heights), _LINE_PX * len(lines)) + _TITLE_PX + _MARGIN_PX
    sheet = Image.new("RGB", (right + _LEGEND_PX, height), _GROUND)
    draw = ImageDraw.Draw(sheet)
    top = _TITLE_PX
    for groups, row_height in zip(rows, heights, strict=True):
        left = _MARGIN_PX
        for group in groups:
            draw.text((left, top), group.place, font=font(_SMALL), fill=_QUIET)
            for name, panel in group.panels.items():
                free = group.pitch(name) - _GAP_PX
                middle = (left + free / 2, top + 1.9 * _HEAD_PX)
                draw.text(middle, name.capitalize(), font=font(_NORMAL), fill=_INK, anchor="ms")
                sheet.paste(panel, (left + (free - panel.width) // 2, top + 2 * _HEAD_PX))
                left += group.pitch(name)
        top += row_height
    _draw_legend(draw, lines, (right, _TITLE_PX))
    return sheet, draw


def _legend_lines(scene: Scene) -> list[tuple[str, Rgb | None]]:
    """Lines of the legend; those without a colour are headings."""
    lines: list[tuple[str, Rgb | None]] = [("Structures", None)]
    lines += [
        (STRUCTURES[n].name, STRUCTURE_COLOURS[n]) for n in STRUCTURES if n in scene.structures
    ]
    lines += [("", None), ("Levels (discs paler, endplates darker)", None)]
    lines += [
        (ordinal_text(v, scene.vertebrae, scene.levels), instance_colour(v, scene.tones))
        for v in scene.vertebrae
    ]
    if scene.has_sacrum:
        lines.append(("sacrum", instance_colour(SACRUM_INSTANCE)))
    return lines


def _draw_legend(
    draw: ImageDraw.ImageDraw, lines: Sequence[tuple[str, Rgb | None]], corner: tuple[int, int]
) -> None:
    left, top = corner
    for text, colour in lines:
        if colour is None:
            draw.text((left, top), text, font=font(_SMALL), fill=_QUIET)
        else:
            draw.rectangle((left, top + 2, left + 17, top + 14), fill=colour)
            draw.text((left + 27, top), text, font=font(_SMALL), fill=_INK)
        top += _LINE_PX


def _png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format="PNG", compress_level=_DEFLATE)
    return buffer.getvalue()
