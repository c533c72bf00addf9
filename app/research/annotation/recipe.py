"""What a merged annotation is made of: sources in order of priority, and rules that exclude.

A recipe is YAML or JSON; paths in it are relative to the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import ConfigurationError
from app.research.evaluation.label_schemes import GROUPS, labels_of
from app.research.evaluation.scheme_files import read_scheme, shipped_schemes

if TYPE_CHECKING:
    from app.research.evaluation.label_schemes import LabelScheme

_MOST_SOURCES: Final = 100
ENDPLATE_SOURCE: Final = 255
"""Number of what no source drew but `app.research.annotation.endplates` filled in."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceEntry(_Part):
    """One program's masks.

    Attributes
    ----------
    name : str
        In the records.
    masks : Path
        Folder; a case's mask is found by its name (`app.research.evaluation.pairing`).
    take : tuple of str
        Structures that are taken, by the names of `GROUPS`; nothing else of this source counts.
    labels : Path or None
        Label scheme of the masks; default SPINEPS's.
    optional : bool
        Whether a case without a mask of this source is annotated nevertheless.
    resample : bool
        Whether masks on another grid are looked up at the image's voxel centres (such as those of
        translated CT); else they are refused.
    """

    name: str = Field(min_length=1)
    masks: Path
    take: tuple[str, ...] = Field(min_length=1)
    labels: Path | None = None
    optional: bool = False
    resample: bool = False


class Endplates(_Part):
    """Holes between body and disc.

    Attributes
    ----------
    widest_mm : float
        Highest gap that is filled; the cartilage and cortical bone of an endplate are 1-2 mm, and
        slices, chemical shift and timid masks double that.
    """

    widest_mm: float = Field(default=4.0, gt=0, le=20)


class Exclusion(_Part):
    """Cases that are not annotated; a rule that is absent excludes nothing.

    Attributes
    ----------
    missing_structures : tuple of str
        One of them has no voxel.
    fewer_bodies_than : int
        Separate bodies, of 1 ml and more.
    canal_in_pieces : bool
        The canal has several parts of 0.2 ml and more.
    contested_above : float
        Share of the labelled voxels on which two sources disagree.
    body_beside_body : bool
        Bodies of one piece taller than `rules.TALLEST_BODY_MM`: two of them, grown together.
    """

    missing_structures: tuple[str, ...] = ()
    fewer_bodies_than: int = Field(default=0, ge=0)
    canal_in_pieces: bool = False
    contested_above: float = Field(default=1.0, gt=0, le=1)
    body_beside_body: bool = False


class RecipeFile(_Part):
    """The file."""

    sources: tuple[SourceEntry, ...] = Field(min_length=1, max_length=_MOST_SOURCES)
    endplates: Endplates | None = Endplates()
    bias_field: bool = True
    crop_margin_mm: float | None = Field(default=20.0, ge=0)
    exclude: Exclusion = Exclusion()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One program's masks, ready to be read.

    Attributes
    ----------
    number : int
        In the map of origins: 1 for the first, which has the highest priority.
    name : str
        In the records.
    masks : Path
        Folder.
    take : frozenset of int
        Labels of the SPINEPS scheme that are taken.
    scheme : LabelScheme or None
        Of the masks; None = SPINEPS's.
    optional, resample : bool
        As in `SourceEntry`.
    """

    number: int
    name: str
    masks: Path
    take: frozenset[int]
    scheme: LabelScheme | None
    optional: bool
    resample: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is done with every case.

    Attributes
    ----------
    sources : tuple of Source
        Highest priority first.
    endplates : Endplates or None
        None = holes stay holes.
    bias_field : bool
        Whether images are written N4-corrected.
    crop_margin_mm : float or None
        What stays around the labels; None = nothing is cut.
    exclude : Exclusion
        Rules.
    """

    sources: tuple[Source, ...]
    endplates: Endplates | None
    bias_field: bool
    crop_margin_mm: float | None
    exclude: Exclusion


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Parameters
    ----------
    path : Path
        YAML or JSON.

    Returns
    -------
    Recipe
        With its label schemes read.

    Raises
    ------
    ConfigurationError
        ``bad_recipe``, with what is wrong in it.
    UnreadableInputError
        If a label scheme cannot be used.
    """
    try:
        file = RecipeFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _bad("it cannot be read as YAML or JSON") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise _bad(f"{' > '.join(map(str, first['loc']))}: {first['msg']}") from error
    names = [entry.name for entry in file.sources]
    if len(set(names)) < len(names):
        raise _bad("two sources have one name")
    for name in file.exclude.missing_structures:
        _labels(name)
    return Recipe(
        sources=tuple(_source(n, entry, path.parent) for n, entry in enumerate(file.sources, 1)),
        endplates=file.endplates,
        bias_field=file.bias_field,
        crop_margin_mm=file.crop_margin_mm,
        exclude=file.exclude,
    )


def _source(number: int, entry: SourceEntry, home: Path) -> Source:
    labels = entry.labels
    if labels is not None and str(labels) not in shipped_schemes():
        labels = home / labels
    return Source(
        number=number,
        name=entry.name,
        masks=home / entry.masks,
        take=frozenset[int]().union(*(_labels(name) for name in entry.take)),
        scheme=None if labels is None else read_scheme(labels),
        optional=entry.optional,
        resample=entry.resample,
    )


def _labels(name: str) -> frozenset[int]:
    found = labels_of(name)
    if not found:
        raise _bad(f"no structure '{name}'; known are {', '.join(GROUPS)}")
    return found


def _bad(what: str) -> ConfigurationError:
    return ConfigurationError(f"the recipe cannot be used: {what}", reasons=("bad_recipe",))
