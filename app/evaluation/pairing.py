"""Which prediction belongs to which reference: by file name, case by case.

Three namings are known: SPINEPS derivatives (``*_seg-spine_msk``, ``*_seg-vert_msk``), the DICOM
SEG objects and truth files that this product writes, and, where a folder has none of these, any
NIfTI files of the same name. What a plainly named file is, its labels tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from app.evaluation.grids import bring_onto
from app.evaluation.mask_files import kind_of, read_mask
from app.evaluation.measures import Masks
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from app.evaluation.mask_files import MaskKind
    from operators.imaging.volume import Grid, LabelMap

_SUFFIXES: tuple[tuple[str, MaskKind], ...] = (
    ("_seg-spine_msk.nii.gz", "semantic"),
    ("_seg-spine_msk.nii", "semantic"),
    ("_seg-vert_msk.nii.gz", "instances"),
    ("_seg-vert_msk.nii", "instances"),
    ("_semantic.dcm", "semantic"),
    ("_instances.dcm", "instances"),
)
_WHOLE_NAMES: dict[str, MaskKind] = {
    "semantic.nii.gz": "semantic",
    "instances.nii.gz": "instances",
}
"""Of the synthetic truth; the folder's name is the case."""

_PLAIN_SUFFIXES = (".nii.gz", ".nii")


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """The mask files of one case by one author.

    Attributes
    ----------
    semantic, instances : Path or None
        Known by their names.
    plain : Path or None
        Known by nothing but its labels.
    """

    semantic: Path | None = None
    instances: Path | None = None
    plain: Path | None = None


def find_cases(folder: Path, of: str = "masks") -> dict[str, CaseFiles]:
    """Find the masks of a folder and everything below it.

    Parameters
    ----------
    folder : Path
        Searched in full.
    of : str
        What the folder is for, as an error calls it: references, predictions.

    Returns
    -------
    dict
        Case name to files, by name. Plainly named files count only where no file has a known
        name: beside derivatives they are images.

    Raises
    ------
    UnreadableInputError
        If the folder is missing (``missing_input``), holds no mask (``no_masks``) or two masks of
        one kind for one case (``ambiguous_names``).
    """
    if not folder.is_dir():
        raise UnreadableInputError(f"the folder of {of} is missing", reasons=("missing_input",))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    named = list(_named(files, folder))
    if not named:
        named = [
            (path.name.removesuffix(suffix), "plain", path)
            for path in files
            for suffix in _PLAIN_SUFFIXES
            if path.name.endswith(suffix)
        ]
    cases: dict[str, CaseFiles] = {}
    for case, kind, path in named:
        known = cases.get(case, CaseFiles())
        if getattr(known, kind) is not None:
            raise UnreadableInputError(
                f"the folder of {of} holds several {kind} masks of one name",
                reasons=("ambiguous_names",),
            )
        cases[case] = replace(known, **{kind: path})
    if not cases:
        raise UnreadableInputError(f"the folder of {of} holds no masks", reasons=("no_masks",))
    return dict(sorted(cases.items()))


def _named(files: list[Path], folder: Path) -> Iterator[tuple[str, str, Path]]:
    for path in files:
        for suffix, kind in _SUFFIXES:
            if path.name.endswith(suffix):
                yield path.name.removesuffix(suffix), kind, path
        if path.name in _WHOLE_NAMES:
            place = path.parent.relative_to(folder).as_posix()
            yield "case" if place == "." else place, _WHOLE_NAMES[path.name], path


def read_reference(files: CaseFiles) -> Masks:
    """Read one case's reference; both of its maps lie on one grid.

    Parameters
    ----------
    files : CaseFiles
        From `find_cases`.

    Returns
    -------
    Masks
        The instance map on the semantic map's grid.

    Raises
    ------
    UnreadableInputError
        If a file cannot be read, or its labels do not tell what it is (``unknown_kind``).
    GeometryError
        If the two maps lie on different grids.
    """
    return _read(files, None, None)


def read_prediction(files: CaseFiles | None, reference: Masks) -> Masks:
    """Read one case's prediction onto the reference's grid.

    Parameters
    ----------
    files : CaseFiles or None
        None = this method has nothing for the case: it found nothing, so all is empty.
    reference : Masks
        From `read_reference`.

    Returns
    -------
    Masks
        Only the kinds of map that were found.

    Raises
    ------
    UnreadableInputError, GeometryError
        As in `read_reference`.
    """
    if files is None:
        return Masks(semantic=_empty(reference.semantic), instances=_empty(reference.instances))
    like = reference.semantic or reference.instances
    plain: MaskKind = "semantic" if reference.semantic is not None else "instances"
    return _read(files, None if like is None else like.grid, plain)


def _read(files: CaseFiles, grid: Grid | None, plain_kind: MaskKind | None) -> Masks:
    found: dict[str, LabelMap] = {}
    paths: dict[MaskKind, Path | None] = {
        "semantic": files.semantic,
        "instances": files.instances,
    }
    for kind, path in paths.items():
        if path is not None:
            found[kind] = read_mask(path, kind)
    if files.plain is not None:
        mask = read_mask(files.plain)
        told = kind_of(mask.labels_zyx) or plain_kind
        if told is None:
            raise UnreadableInputError(
                "the labels do not tell a semantic from an instance map", reasons=("unknown_kind",)
            )
        found[told] = mask
    for kind_name, mask in found.items():
        grid = grid or mask.grid
        found[kind_name] = bring_onto(mask, grid)
    return Masks(**found)


def _empty(labels: LabelMap | None) -> LabelMap | None:
    return None if labels is None else labels.with_labels(np.zeros_like(labels.labels_zyx))
