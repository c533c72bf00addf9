"""Which cases a data set holds: a BIDS tree, a DICOM tree of any depth, or a table of paths."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from app.cohort.cases import Source, labels_of, make_case
from app.cohort.path_table import is_table, rows_of
from operators.dicom.identity.uids import digest
from operators.dicom.reading.input_files import files_below
from operators.dicom.reading.study_index import belonging_of
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from app.cohort.cases import CohortCase

Layout = Literal["auto", "bids", "dicom"]

_SUBJECT: Final = re.compile(r"sub-[A-Za-z0-9]+")
_SESSION: Final = re.compile(r"ses-[A-Za-z0-9]+")
_IMAGE_ENDINGS: Final = ("_T2w.nii.gz", "_T2w.nii")
_SESSION_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Dataset:
    """What was given.

    Attributes
    ----------
    root : Path
        What paths are relative to.
    given : Path
        The folder, or the table.
    output : Path
        Never searched, though it may lie in the data set.
    layout : str
        ``bids``, ``dicom`` or ``table``.
    """

    root: Path
    given: Path
    output: Path
    layout: Literal["bids", "dicom", "table"]


def open_dataset(given: Path, output: Path, layout: Layout) -> Dataset:
    """Tell what kind of data set this is.

    Parameters
    ----------
    given : Path
        Folder, or ``.csv`` or ``.tsv``.
    output : Path
        Folder for the results.
    layout : {"auto", "bids", "dicom"}
        How to read a folder; auto: BIDS where there is an image ``sub-*/**/*_T2w.nii[.gz]``.

    Raises
    ------
    UnreadableInputError
        ``missing_input``, ``not_a_dataset``.
    """
    place, target = given.absolute(), output.absolute()
    if not place.exists():
        raise UnreadableInputError("the data set does not exist", reasons=("missing_input",))
    if is_table(place):
        return Dataset(place.parent, place, target, "table")
    if not place.is_dir():
        message = "a data set is a folder, or a table of paths (.csv, .tsv)"
        raise UnreadableInputError(message, reasons=("not_a_dataset",))
    if layout == "auto":
        found = next((image for sub in _subjects(place) for image in _images(sub)), None)
        layout = "dicom" if found is None else "bids"
    return Dataset(place, place, target, layout)


def cases_of(dataset: Dataset, check: Callable[[], None] | None = None) -> Iterator[CohortCase]:
    """Find the cases of a data set.

    Parameters
    ----------
    dataset : Dataset
        Opened.
    check : callable, optional
        Called for every image, file or row; what it raises ends the search.

    Yields
    ------
    CohortCase
        In order of subject and session. Of a BIDS tree one subject after the other is looked at;
        of a DICOM tree every file is read by three attributes first, about 1 ms each.

    Raises
    ------
    UnreadableInputError
        ``no_cases``: what was looked for is not there; for a table see `app.cohort.path_table`.
    """
    finders = {"bids": _bids_cases, "dicom": _dicom_cases, "table": _table_cases}
    count = 0
    for case in finders[dataset.layout](dataset, check or _nothing):
        count += 1
        yield case
    if not count:
        raise UnreadableInputError(
            f"no case was found (as {dataset.layout}): a BIDS tree holds sub-X/**/*_T2w.nii.gz, a "
            "DICOM tree readable DICOM files; for images in other folders write a table with "
            "the columns path, subject, session",
            reasons=("no_cases",),
        )


def _subjects(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("sub-*") if path.is_dir())


def _images(subject: Path) -> list[Path]:
    found = (path for ending in _IMAGE_ENDINGS for path in subject.rglob(f"*{ending}"))
    return sorted(path for path in found if path.is_file())


def _nothing() -> None:
    """Go on."""


def _bids_cases(dataset: Dataset, check: Callable[[], None]) -> Iterator[CohortCase]:
    subjects = _subjects(dataset.root)
    labels = labels_of((path.name for path in subjects), "sub")
    for subject in subjects:
        sessions: defaultdict[str, list[Source]] = defaultdict(list)
        for image in _images(subject):
            check()
            if not image.is_relative_to(dataset.output):
                name = str(image.relative_to(dataset.root))
                session = _part(Path(name).parts[1:-1], _SESSION)
                sessions[session].append(Source(name, (name,)))
        for session, sources in sorted(sessions.items()):
            names = (subject.name, session)
            yield make_case(dataset.root, names, (labels[subject.name], session), sources)


def _dicom_cases(dataset: Dataset, check: Callable[[], None]) -> Iterator[CohortCase]:
    found = files_below(dataset.root)[0]
    files = [path for path in found if not path.is_relative_to(dataset.output)]
    groups: defaultdict[tuple[str, str], list[Source]] = defaultdict(list)
    for study in _studies(dataset.root, files, check):
        parts = Path(study.source.paths[0]).parts[:-1]
        subject = _part(parts, _SUBJECT) or next(iter(parts), "") or study.patient
        groups[subject, _part(parts, _SESSION) or study.session].append(study.source)
    labels = labels_of((subject for subject, _ in groups), "sub")
    for (subject, session), sources in sorted(groups.items()):
        yield make_case(dataset.root, (subject, session), (labels[subject], session), sources)


def _table_cases(dataset: Dataset, check: Callable[[], None]) -> Iterator[CohortCase]:
    groups: defaultdict[tuple[str, str], list[Source]] = defaultdict(list)
    for row in rows_of(dataset.given):
        check()
        parts = Path(row.path).parts[:-1]
        subject = row.subject or _part(parts, _SUBJECT) or Path(row.path).name.split(".")[0]
        groups[subject, row.session].append(_given(dataset, row.path))
    subjects = labels_of((subject for subject, _ in groups), "sub")
    sessions = labels_of((session for _, session in groups if session), "ses") | {"": ""}
    for names, sources in sorted(groups.items()):
        labels = (subjects[names[0]], sessions[names[1]])
        yield make_case(dataset.root, names, labels, sources)


def _given(dataset: Dataset, path: str) -> Source:
    """Source of a row: an image as it is, and of a folder its files, so that series have UIDs."""
    place = dataset.root / path
    if not place.is_dir():
        return Source(path, (path,))
    files = files_below(place)[0]
    uids = {found.series_uid for found in map(belonging_of, files) if found is not None}
    return Source(path, (path,), tuple(sorted(uids - {""})))


@dataclass(frozen=True, slots=True)
class _Study:
    source: Source
    session: str
    patient: str


def _studies(root: Path, files: Sequence[Path], check: Callable[[], None]) -> Iterator[_Study]:
    """Group files by their study, whatever folders they lie in."""
    paths: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    series: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for file in files:
        check()
        found = belonging_of(file)
        if found is None:
            continue
        place = str(file.parent) if not found.study_uid else ""
        key = (found.patient_digest, found.study_uid + place)
        paths[key].append(str(file.relative_to(root)))
        series[key].add(found.series_uid)
    for (patient, study), names in paths.items():
        session = f"ses-{digest([study])[:_SESSION_DIGITS]}"
        uids = tuple(sorted(series[patient, study] - {""}))
        yield _Study(Source(_common(names), tuple(names), uids), session, patient[:8])


def _common(names: Sequence[str]) -> str:
    """Folder that holds all of these files."""
    return os.path.commonpath([str(Path(name).parent) for name in names]) or "."


def _part(parts: Sequence[str], pattern: re.Pattern[str]) -> str:
    return next((part for part in parts if pattern.fullmatch(part)), "")
