"""What can be told about the paths of a run before anything is loaded or computed.

Reads no images but a given label map; makes and changes no file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

from app.errors import ConfigurationError, OutputUnwritableError
from operators.anatomy.labels import Structure
from operators.anatomy.named_vertebrae import parse
from operators.errors import (
    InputRejectedError,
    ModelUnusableError,
    NamesRejectedError,
    UnreadableInputError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from operators.anatomy.named_vertebrae import NamedVertebra


T2W_KEYS: Final = frozenset({"t2w", "t2", "t2c", "dixon", "mr"})
"""Modalities by which published models say that they are for T2w MR (SPINEPS's keys)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPaths:
    """Paths of one run, as given.

    Attributes
    ----------
    source, output : Path
        Input; folder for the results.
    semantic_mask, report : Path or None
        Label map to start from; file for the result record.
    """

    source: Path
    output: Path
    semantic_mask: Path | None = None
    report: Path | None = None


def require_usable(paths: RunPaths) -> None:
    """Refuse what cannot work and no record could tell; a run itself records what else is wrong.

    Parameters
    ----------
    paths : RunPaths
        As given.

    Raises
    ------
    UnreadableInputError
        What is wrong with the label map, ``unreadable_mask`` first among the reasons.
    OutputUnwritableError
        ``report_unwritable``.
    ConfigurationError
        ``report_is_input``: the record would overwrite what is read.
    """
    if paths.report is not None:
        _require_report(paths.report, paths)
    if paths.semantic_mask is not None:
        _require_mask(paths.semantic_mask)


def require_folder(output: Path) -> None:
    """Refuse an output folder that can neither be used nor made.

    Raises
    ------
    OutputUnwritableError
        ``output_unwritable``.
    """
    place = output
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        problem = "may not be written" if place.is_dir() else "is a file, or lies in one"
        message = f"the output folder cannot be used: it {problem}"
        raise OutputUnwritableError(message, reasons=("output_unwritable",))


def names_given(texts: Sequence[str]) -> tuple[NamedVertebra, ...]:
    """Read the levels that a person gives (``--name-vertebra``).

    Raises
    ------
    ConfigurationError
        ``unknown_level``, ``unknown_vertebra``; ``named_twice``.
    """
    try:
        named = tuple(parse(text) for text in texts)
    except NamesRejectedError as error:
        raise ConfigurationError(error.message, reasons=error.reasons) from error
    if len({(one.key, one.vertebra) for one in named}) < len(named):
        message = "a vertebra is named twice (--name-vertebra)"
        raise ConfigurationError(message, reasons=("named_twice",))
    return named


def _require_report(report: Path, paths: RunPaths) -> None:
    read = [path for path in (paths.source, paths.semantic_mask) if path is not None]
    if report.exists() and any(path.exists() and report.samefile(path) for path in read):
        message = "the record would overwrite the input; give another --report"
        raise ConfigurationError(message, reasons=("report_is_input",))
    try:
        if report.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        if report.exists():
            with report.open("ab"):
                return
        if report.parent.resolve() != paths.output.resolve():  # which is made later
            with TemporaryFile(dir=report.parent):
                return
    except OSError as error:
        message = f"the record cannot be written (--report): {error.strerror}"
        raise OutputUnwritableError(message, reasons=("report_unwritable",)) from error


def _require_mask(mask: Path) -> None:
    # Not at the top: numpy starts threads, which must find the signals of a run blocked.
    from operators.imaging.nifti import read_label_map  # noqa: PLC0415

    try:
        _require_structures(read_label_map(mask).labels_zyx)
    except InputRejectedError as error:
        message = f"the given label map (--semantic-mask) cannot be used: {error.message}"
        raise UnreadableInputError(message, reasons=("unreadable_mask", *error.reasons)) from error


def _require_structures(labels_zyx: NDArray[np.unsignedinteger]) -> None:
    """Refuse vertebra numbers, other schemes and images in the place of structures."""
    import numpy as np  # noqa: PLC0415 - as above

    counts = np.bincount(labels_zyx.ravel())
    known = sum(int(counts[label]) for label in Structure if label < len(counts))
    if 2 * known <= int(counts[1:].sum()):
        raise UnreadableInputError(
            "most of its labels are none of the semantic map's (vertebral body 49, disc 100 ...)",
            reasons=("unknown_labels",),
        )


def require_modality(modality: Sequence[str], *, is_other_told: bool) -> None:
    """Refuse a phase 1 model that says it is for other images than T2w MR, unless told.

    Parameters
    ----------
    modality : sequence of str
        Of its ``inference_config.json``.
    is_other_told : bool
        Whether somebody said that it is wanted nevertheless.

    Raises
    ------
    ModelUnusableError
        ``other_modality``.
    """
    if is_other_told or T2W_KEYS & {key.lower() for key in modality}:
        return
    raise ModelUnusableError(
        f"the phase 1 model is for {', '.join(modality)[:60] or 'no stated modality'}, not for "
        "T2w MR; if it is wanted nevertheless: models.other_modality in app.yaml, "
        "run --other-modality, Segmenter(other_modality=True)",
        reasons=("other_modality",),
    )
