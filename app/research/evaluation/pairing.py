"""Which prediction belongs to which reference: by file name, case by case.

Three namings are known: SPINEPS derivatives (``*_seg-spine_msk``, ``*_seg-vert_msk``), the DICOM
SEG objects and truth files that this product writes, and, where a folder has none of these, any
NIfTI files of the same name. What a plainly named file is, its labels tell. SPINEPS puts the
modality into the name (``sub-1_mod-T2w``) and a SEG has none: where names differ in nothing else
and no third could be meant, they are of one case.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from app.research.evaluation.grids import bring_onto
from app.research.evaluation.mask_files import kind_of, read_mask, read_names, require_kind
from app.research.evaluation.measures import Masks
from operators.dicom.result_kinds import INSTANCES, SEMANTIC
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from app.research.evaluation.mask_files import MaskKind
    from operators.imaging.volume import Grid, LabelMap

_SUFFIXES: tuple[tuple[str, MaskKind], ...] = (
    ("_seg-spine_msk.nii.gz", "semantic"),
    ("_seg-spine_msk.nii", "semantic"),
    ("_seg-vert_msk.nii.gz", "instances"),
    ("_seg-vert_msk.nii", "instances"),
    (SEMANTIC.suffix, "semantic"),
    (INSTANCES.suffix, "instances"),
)
_WHOLE_NAMES: dict[str, MaskKind] = {
    "semantic.nii.gz": "semantic",
    "instances.nii.gz": "instances",
}
"""Of the synthetic truth; the folder's name is the case."""

_PLAIN_SUFFIXES = (".nii.gz", ".nii")

_MODALITY = re.compile(r"_mod-[A-Za-z0-9]+")


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

    @property
    def is_segmentation_object(self) -> bool:
        """True for DICOM SEG, whose instances are numbered from the top."""
        return any(path is not None and path.suffix == ".dcm" for path in self.paths)

    @property
    def paths(self) -> tuple[Path | None, Path | None, Path | None]:
        """All three."""
        return self.semantic, self.instances, self.plain


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePairs:
    """Which files of two folders belong together.

    Attributes
    ----------
    name : str
        Of the method that predicted.
    references : dict of str to CaseFiles
        Every case of the reference, by name.
    predictions : dict of str to CaseFiles
        By the same names, where there is one.
    without_reference : tuple of str
        Names of the other predictions.
    """

    name: str
    references: dict[str, CaseFiles]
    predictions: dict[str, CaseFiles]
    without_reference: tuple[str, ...] = ()

    @property
    def levels_can_be_known(self) -> bool:
        """False where a reference is a SEG: its vertebrae are numbered from the top."""
        return not any(files.is_segmentation_object for files in self.references.values())


def pair_folders(reference: Path, prediction: Path, name: str) -> CasePairs:
    """Find out which prediction belongs to which reference, before anything is read.

    Parameters
    ----------
    reference, prediction : Path
        Folders of masks.
    name : str
        What the method is called.

    Returns
    -------
    CasePairs
        At least one pair.

    Raises
    ------
    UnreadableInputError
        If a folder holds no masks (`find_cases`) or no name occurs in both (``no_pairs``).
    """
    truths = find_cases(reference, "references")
    guesses = find_cases(prediction, f"predictions '{name}'")
    partners = _partners(truths, guesses)
    if not partners:
        raise UnreadableInputError(
            f"none of {len(guesses)} predictions has the name of one of {len(truths)} references; "
            "the masks of a case are called alike in both folders: CASE_seg-spine_msk.nii.gz and "
            "CASE_seg-vert_msk.nii.gz, or CASE_semantic.dcm and CASE_instances.dcm, or CASE.nii.gz",
            reasons=("no_pairs",),
        )
    return CasePairs(
        name=name,
        references=truths,
        predictions={case: guesses[partner] for case, partner in partners.items()},
        without_reference=tuple(case for case in guesses if case not in partners.values()),
    )


def _partners(truths: Mapping[str, object], guesses: Mapping[str, object]) -> dict[str, str]:
    """Case of the reference to case of the prediction; the modality decides where it must."""
    found = {case: case for case in truths if case in guesses}
    rest = _by_bare_name(case for case in truths if case not in found)
    others = _by_bare_name(case for case in guesses if case not in found)
    return found | {rest[bare]: others[bare] for bare in rest.keys() & others.keys()}


def _by_bare_name(cases: Iterable[str]) -> dict[str, str]:
    """Names without the modality, as far as they are still different, to names."""
    bare = {case: _bare(case) for case in cases}
    counts = Counter(bare.values())
    return {name: case for case, name in bare.items() if counts[name] == 1}


def _bare(case: str) -> str:
    return _MODALITY.sub("", case)


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
        one kind for one case, also where one is NIfTI and one a SEG (``ambiguous_names``).
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
            raise _ambiguous(of, f"several {kind} masks of one name")
        cases[case] = replace(known, **{kind: path})
    objects, others = (
        {_bare(case) for case, files in cases.items() if files.is_segmentation_object is wanted}
        for wanted in (True, False)
    )
    if objects & others:
        raise _ambiguous(of, "the masks of one case as NIfTI and as SEG; give the folder of one")
    if not cases:
        raise UnreadableInputError(f"the folder of {of} holds no masks", reasons=("no_masks",))
    return dict(sorted(cases.items()))


def _ambiguous(of: str, what: str) -> UnreadableInputError:
    return UnreadableInputError(f"the folder of {of} holds {what}", reasons=("ambiguous_names",))


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
        If a file cannot be read, its labels do not tell what it is (``unknown_kind``) or tell
        that it is not what its name says (``other_kind``).
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
            found[kind] = require_kind(read_mask(path, kind), kind)
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
    names = {} if files.instances is None else read_names(files.instances)
    return Masks(**found, names=names)


def _empty(labels: LabelMap | None) -> LabelMap | None:
    return None if labels is None else labels.with_labels(np.zeros_like(labels.labels_zyx))
