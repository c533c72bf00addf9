"""Which prediction belongs to which reference: by file name, case by case.

Three namings are known: SPINEPS derivatives (``*_seg-spine_msk``, ``*_seg-vert_msk``), the DICOM
SEG objects and truth files that this product writes, and, where a folder has none of these, SEG
objects of any name or else NIfTI files of any name. What a plainly named file is, its labels tell.
Masks that say which series they were made of are paired by it, whatever they are called. SPINEPS
puts the modality into the name (``sub-1_mod-T2w``) and a SEG has none: where names differ in
nothing else and no third could be meant, they are of one case.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.research.evaluation.referenced_series import (
    object_kind,
    partners_by_series,
    series_of,
    without_twins,
)
from operators.dicom.identity.result_kinds import INSTANCES, SEMANTIC
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from app.research.evaluation.mask_files import MaskKind

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

_PLAIN_SUFFIXES = (".nii.gz", ".nii", ".mha")

_MODALITY = re.compile(r"_mod-[A-Za-z0-9]+|_(?:T1|T2|PD)w$")


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
    series : dict of str to str
        Series Instance UID of the cases of the reference, where either side says it.
    """

    name: str
    references: dict[str, CaseFiles]
    predictions: dict[str, CaseFiles]
    without_reference: tuple[str, ...] = ()
    series: dict[str, str] = field(default_factory=dict)

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
        If a folder holds no masks (`find_cases`), or no series and no name occurs in both
        (``no_pairs``).
    """
    truths = find_cases(reference, "references")
    guesses = find_cases(prediction, f"predictions '{name}'")
    made_of = _made_of(truths)
    truths = {case: truths[case] for case in made_of}
    guesses_made_of = _made_of(guesses)
    guesses = {case: guesses[case] for case in guesses_made_of}
    partners = _partners(made_of, guesses_made_of)
    if not partners:
        raise UnreadableInputError(
            f"none of {len(guesses)} predictions has the series or the name of one of "
            f"{len(truths)} references; "
            "the masks of a case are called alike in both folders: CASE_seg-spine_msk.nii.gz and "
            "CASE_seg-vert_msk.nii.gz, or CASE_semantic.dcm and CASE_instances.dcm, or CASE.nii.gz",
            reasons=("no_pairs",),
        )
    return CasePairs(
        name=name,
        references=truths,
        predictions={case: guesses[partner] for case, partner in partners.items()},
        without_reference=tuple(case for case in guesses if case not in partners.values()),
        series={
            case: made_of[case] or guesses_made_of[partners[case]]
            for case in truths
            if made_of[case] or case in partners
        },
    )


def _made_of(cases: Mapping[str, CaseFiles]) -> dict[str, str]:
    """Series of every case that is no twin of another."""
    objects = {case for case, files in cases.items() if files.is_segmentation_object}
    return without_twins({case: _series_of(files) for case, files in cases.items()}, objects)


def _series_of(files: CaseFiles) -> str:
    told = [series_of(path) for path in files.paths if path is not None]
    return told[0] if len(set(told)) == 1 else ""


def _partners(truths: Mapping[str, str], guesses: Mapping[str, str]) -> dict[str, str]:
    """Case of the reference to case of the prediction: by series, else by name.

    The modality decides where it must; masks that name different series are of no one case.
    """
    same = partners_by_series(truths, guesses)
    truths = {case: uid for case, uid in truths.items() if case not in same}
    guesses = {case: uid for case, uid in guesses.items() if case not in same.values()}
    named = _partners_by_name(truths, guesses)
    return same | {
        case: other
        for case, other in named.items()
        if not (truths[case] and guesses[other]) or truths[case] == guesses[other]
    }


def partner_of(case: str, cases: Mapping[str, CaseFiles]) -> CaseFiles | None:
    """Files of the case that is called like another one, which may name a modality.

    Parameters
    ----------
    case : str
        For example of an image: ``sub-1_T2w``.
    cases : mapping of str to CaseFiles
        From `find_cases`.

    Returns
    -------
    CaseFiles or None
        None where no case is meant, or several could be.
    """
    named = _partners_by_name([case], cases)
    return cases[named[case]] if case in named else None


def _partners_by_name(truths: Iterable[str], guesses: Iterable[str]) -> dict[str, str]:
    guesses = list(guesses)
    truths = list(truths)
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
        Case name to files, by name. Other names count only where no file has a known one: SEG
        objects, whose case is called by the series they reference; else NIfTI files, which
        beside derivatives are images.

    Raises
    ------
    UnreadableInputError
        If the folder is missing (``missing_input``), holds no mask (``no_masks``) or two masks of
        one kind for one case, also where one is NIfTI and one a SEG (``ambiguous_names``).
    """
    if not folder.is_dir():
        raise UnreadableInputError(f"the folder of {of} is missing", reasons=("missing_input",))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    named = list(_named(files, folder)) or list(_objects(files))
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


def _objects(files: list[Path]) -> Iterator[tuple[str, str, Path]]:
    """SEG objects of any name, called by their series."""
    for path in files:
        kind = object_kind(path) if path.suffix == ".dcm" else None
        if kind is not None:
            yield series_of(path) or path.stem, kind, path
