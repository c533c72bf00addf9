"""A case of a cohort: what one subject's session holds, where its results go, and its identity."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from operators.dicom.identity.uids import digest

if TYPE_CHECKING:
    from collections.abc import Iterable

_ID_DIGITS: Final = 16
_LABEL_DIGITS: Final = 6
_SERIES_DIGITS: Final = 8
_DATATYPE: Final = "anat"


@dataclass(frozen=True, slots=True)
class Source:
    """What one run reads: an image, a folder, or the DICOM files of one study.

    Attributes
    ----------
    name : str
        What tables call it: path of the image or of the folder that holds all files.
    paths : tuple of str
        Relative to the root of the data set, or absolute.
    series_uids : tuple of str
        Of a DICOM study.
    """

    name: str
    paths: tuple[str, ...]
    series_uids: tuple[str, ...] = ()

    def below(self, root: Path) -> Path | tuple[Path, ...]:
        """Give what `app.run.execute.Job` takes."""
        paths = tuple(root / path for path in self.paths)
        return paths[0] if len(paths) == 1 else paths

    def series_uid(self, key: str) -> str:
        """Series Instance UID behind the key of a DICOM series; empty for an image.

        Parameters
        ----------
        key : str
            Of the record: ``seriesN_xxxxxxxx``, eight digits of the UID's digest.
        """
        part = re.search(r"^series\d+_([0-9a-f]{8})", key)
        named = part.group(1) if part else ""
        found = (uid for uid in self.series_uids if digest([uid])[:_SERIES_DIGITS] == named)
        return next(found, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortCase:
    """Everything of one subject and session: segmented together, published together.

    Attributes
    ----------
    case_id : str
        Follows from names, places, sizes and times of change of its files.
    subject, session : str
        As the user calls them, for tables.
    label, session_label : str
        BIDS entities, such as ``sub-01`` and ``ses-1``; the latter may be empty.
    sources : tuple of Source
        In order of their names.
    """

    case_id: str
    subject: str
    session: str
    label: str
    session_label: str
    sources: tuple[Source, ...]

    @property
    def prefix(self) -> str:
        """Beginning of the names of its files."""
        return "_".join(part for part in (self.label, self.session_label) if part)

    @property
    def folder(self) -> Path:
        """Where its results lie, relative to the output folder."""
        return Path(self.label) / self.session_label / _DATATYPE

    @property
    def record_name(self) -> str:
        """File that says what became of it, in `folder`."""
        return f"{self.prefix}_cohort.json"

    def as_json(self) -> str:
        """Text for a plan file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> CohortCase:
        """Read a plan file."""
        document = json.loads(text)
        sources = tuple(
            Source(one["name"], tuple(one["paths"]), tuple(one["series_uids"]))
            for one in document.pop("sources")
        )
        return cls(sources=sources, **document)


def make_case(
    root: Path, names: tuple[str, str], labels: tuple[str, str], sources: Iterable[Source]
) -> CohortCase:
    """Make a case with the identity that follows from its files as they are now.

    Parameters
    ----------
    root : Path
        Of the data set.
    names, labels : tuple of (str, str)
        Subject and session, for tables and for folders.
    sources : iterable of Source
        In any order.
    """
    ordered = tuple(sorted(sources, key=lambda one: (one.name, one.paths)))
    states = (part for one in ordered for path in one.paths for part in _state(root, path))
    identity = digest((*names, *labels, *(one.name for one in ordered), *states))[:_ID_DIGITS]
    return CohortCase(
        case_id=identity,
        subject=names[0],
        session=names[1],
        label=labels[0],
        session_label=labels[1],
        sources=ordered,
    )


def labels_of(names: Iterable[str], entity: str) -> dict[str, str]:
    """BIDS labels of names: letters and digits alone, and never one label for two names.

    Parameters
    ----------
    names : iterable of str
        Of subjects or sessions, in any form.
    entity : str
        ``sub`` or ``ses``.

    Examples
    --------
    >>> labels_of(["sub-01", "patient 7"], "sub")
    {'patient 7': 'sub-patient7', 'sub-01': 'sub-01'}
    """
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names)):
        alike[re.sub(r"[^A-Za-z0-9]", "", name.removeprefix(f"{entity}-"))].append(name)
    labels = {}
    for plain, called in alike.items():
        for name in called:
            is_clear = plain and len(called) == 1
            labels[name] = f"{entity}-{plain if is_clear else plain + _short(name)}"
    return labels


def _short(name: str) -> str:
    return digest([name])[:_LABEL_DIGITS]


def _state(root: Path, path: str) -> tuple[str, ...]:
    """Name, size and time of change of a file; of all files, where it is a folder."""
    place = root / path
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    parts = [path]
    for file in files:
        try:
            found = file.stat()
        except OSError:
            parts.append("missing")
        else:
            parts.append(f"{file.name} {found.st_size} {found.st_mtime_ns}")
    return tuple(parts)
