"""Annotate the images of a data set by a recipe, case by case; a bad case never stops the others.

What is written is a data set that ``spine-node train semantic --dataset`` reads: the image,
bias-corrected and cut to the annotated part, its mask, a map that says which source every voxel
came from, and a JSON with the counts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from app import __version__
from app.errors import OutputUnwritableError
from app.research.annotation.endplates import fill_endplates
from app.research.annotation.merging import Merged, merge
from app.research.annotation.recipe import ENDPLATE_SOURCE
from app.research.annotation.rules import reasons_against
from app.research.evaluation.measures import Masks
from app.research.evaluation.pairing import find_cases, partner_of
from app.research.evaluation.reading import read_prediction, read_reference
from operators.errors import GeometryError, SpineError, UnreadableInputError
from operators.imaging.cropping import bounding_box, crop
from operators.imaging.intensity import prepare
from operators.imaging.nifti import read_volume, write_label_map, write_volume
from operators.imaging.resampling import resample_labels_to_grid
from operators.imaging.result_files import case_name, spineps_stem
from operators.imaging.volume import LabelMap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from app.research.annotation.recipe import Recipe, Source
    from app.research.evaluation.pairing import CaseFiles
    from operators.imaging.volume import Volume

DERIVATIVES: Final = "derivatives"
_NAMED_AFTER: Final = "_T2w"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one image.

    Attributes
    ----------
    case : str
        Its name.
    status : str
        ``annotated``, ``excluded`` (by a rule of the recipe) or ``failed``.
    reasons : tuple of str
        Rules that excluded it, or the error's reasons.
    details : dict
        Counts, of an annotated or excluded case.
    """

    case: str
    status: str
    reasons: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Annotation:
    """A merged annotation before it is cut to size.

    Attributes
    ----------
    labels : LabelMap
        SPINEPS labels on the image's grid, endplates filled.
    merged : Merged
        How it came about.
    """

    labels: LabelMap
    merged: Merged

    @property
    def origins(self) -> NDArray[np.uint8]:
        """Number of the source of every voxel; `ENDPLATE_SOURCE` where a hole was filled."""
        filled = (self.labels.labels_zyx > 0) & (self.merged.labels == 0)
        return np.where(filled, np.uint8(ENDPLATE_SOURCE), self.merged.origins)


def find_sources(recipe: Recipe) -> dict[str, dict[str, CaseFiles]]:
    """Find the masks of every source, by its name, before anything is read.

    Raises
    ------
    UnreadableInputError
        If a folder is missing (``missing_input``) or holds no masks (``no_masks``); the message
        says of which source.
    """
    return {
        source.name: find_cases(source.masks, f"source '{source.name}'")
        for source in recipe.sources
    }


def annotate_images(
    images: Sequence[Path],
    recipe: Recipe,
    output: Path,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[Outcome, ...]:
    """Annotate images, and write what was made of each.

    Parameters
    ----------
    images : sequence of Path
        NIfTI, with BIDS names.
    recipe : Recipe
        Sources and rules.
    output : Path
        Data set to fill.
    progress : callable
        Told (images done, all images).

    Returns
    -------
    tuple of Outcome
        One per image, in their order.

    Raises
    ------
    UnreadableInputError
        As `find_sources`.
    OutputUnwritableError
        If the folder cannot be written.
    """
    masks = find_sources(recipe)
    outcomes = []
    for done, image in enumerate(images, 1):
        outcomes.append(_annotate_one(image, recipe, masks, output))
        progress(done, len(images))
    return tuple(outcomes)


def annotate(
    image: Volume, recipe: Recipe, masks: Mapping[str, CaseFiles]
) -> tuple[Annotation, tuple[str, ...]]:
    """Merge the sources' masks of one image.

    Parameters
    ----------
    image : Volume
        What was annotated.
    recipe : Recipe
        Sources and rules.
    masks : mapping of str to CaseFiles
        Files of this case by source; a source that is absent must be optional.

    Returns
    -------
    tuple of Annotation, tuple of str
        And the rules that exclude the case.

    Raises
    ------
    UnreadableInputError, GeometryError
        ``missing_source``; as `app.research.evaluation.reading.read_prediction`.
    """
    layers = []
    for source in recipe.sources:
        files = masks.get(source.name)
        if files is not None:
            layers.append((source, _layer(source, files, image)))
        elif not source.optional:
            raise UnreadableInputError(
                f"source '{source.name}' has no mask of this case", reasons=("missing_source",)
            )
    k, j, i = image.voxels_zyx.shape
    merged = merge((k, j, i), layers)
    labels = LabelMap(merged.labels, image.affine_lps)
    if recipe.endplates is not None:
        labels = fill_endplates(labels, recipe.endplates.widest_mm)
    if not labels.labels_zyx.any():
        raise UnreadableInputError("no source says anything", reasons=("no_known_labels",))
    return Annotation(labels, merged), reasons_against(labels, merged, recipe.exclude)


def _layer(source: Source, files: CaseFiles, image: Volume) -> NDArray[np.integer]:
    blank = LabelMap(np.zeros(image.voxels_zyx.shape, np.uint16), image.affine_lps)
    if source.resample:
        read = read_reference(files, source.scheme).semantic
        found = None if read is None else resample_labels_to_grid(read, image.grid)
    else:
        found = read_prediction(files, Masks(semantic=blank), source.scheme).semantic
    if found is None:
        raise UnreadableInputError(
            f"the mask of source '{source.name}' has no structures", reasons=("other_kind",)
        )
    return found.labels_zyx


def _annotate_one(
    path: Path, recipe: Recipe, masks: Mapping[str, Mapping[str, CaseFiles]], output: Path
) -> Outcome:
    case = case_name(path)
    try:
        found = {name: partner_of(case, cases) for name, cases in masks.items()}
        image = read_volume(path)
        annotation, against = annotate(
            image, recipe, {name: files for name, files in found.items() if files is not None}
        )
        details = _details(recipe, annotation)
        if not against:
            _write(case, _cut(image, annotation, recipe), details, output)
    except OutputUnwritableError:
        raise
    except SpineError as error:
        return Outcome(case=case, status="failed", reasons=error.reasons or (error.code,))
    status = "excluded" if against else "annotated"
    return Outcome(case=case, status=status, reasons=against, details=details)


def _cut(
    image: Volume, annotation: Annotation, recipe: Recipe
) -> tuple[Volume, LabelMap, LabelMap]:
    """Correct the image's bias field, and cut it, the mask and the origins to the labels."""
    if recipe.bias_field:
        image = image.with_voxels(_corrected(image))
    origins = annotation.labels.with_labels(annotation.origins)
    if recipe.crop_margin_mm is None:
        return image, annotation.labels, origins
    k, j, i = (round(recipe.crop_margin_mm / side) for side in image.spacing_zyx_mm)
    box = bounding_box(annotation.labels.labels_zyx, (k, j, i))
    if box is None:
        raise GeometryError("nothing is annotated", reasons=("no_known_labels",))
    return crop(image, box), crop(annotation.labels, box), crop(origins, box)


def _corrected(image: Volume) -> NDArray[np.float32]:
    """Correct the bias field as phase 1 does, without the border that it adds."""
    return np.asarray(prepare(image).volume.voxels_zyx, np.float32)


def _details(recipe: Recipe, annotation: Annotation) -> dict[str, Any]:
    origins, labels = annotation.origins, annotation.labels.labels_zyx
    names = {s.number: s.name for s in recipe.sources} | {ENDPLATE_SOURCE: "filled"}
    voxels: dict[str, dict[str, int]] = {}
    for number, name in names.items():
        found, counts = np.unique(labels[(origins == number) & (labels > 0)], return_counts=True)
        voxels[name] = {str(int(n)): int(c) for n, c in zip(found, counts, strict=True)}
    return {
        "Origins": {str(number): name for number, name in names.items()},
        "VoxelsByOriginAndLabel": voxels,
        "ContestedVoxels": int(np.count_nonzero(annotation.merged.contested)),
        "ContestedShare": round(annotation.merged.contested_share, 4),
        "BiasFieldCorrected": recipe.bias_field,
        "CropMarginMm": recipe.crop_margin_mm,
        "SoftwareVersion": __version__,
    }


def _write(
    case: str, cut: tuple[Volume, LabelMap, LabelMap], details: dict[str, Any], output: Path
) -> None:
    image, labels, origins = cut
    subject = next((part for part in case.split("_") if part.startswith("sub-")), "sub-unknown")
    stem = spineps_stem(case)
    images, masks = output / subject / "anat", output / DERIVATIVES / subject / "anat"
    try:
        for folder in (images, masks):
            folder.mkdir(parents=True, exist_ok=True)
        name = case if case.endswith(_NAMED_AFTER) else f"{case}{_NAMED_AFTER}"
        write_volume(image, images / f"{name}.nii.gz")
        write_label_map(origins, masks / f"{stem}_seg-origin_msk.nii.gz")
        text = json.dumps(details, indent=1, ensure_ascii=False) + "\n"
        (masks / f"{stem}_seg-spine_msk.json").write_text(text, encoding="utf-8")
        # Last: what has a mask is complete.
        write_label_map(labels, masks / f"{stem}_seg-spine_msk.nii.gz")
    except OSError as error:
        message = f"the annotation cannot be written: {error.strerror}"
        raise OutputUnwritableError(message, reasons=("output_unwritable",)) from error
