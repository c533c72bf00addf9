"""Files of results that the page hands out: those the journal names, where they belong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from operators.dicom.identity.result_kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from app.node.journal.rows import ResultRow

UNKNOWN_MEDIA_TYPE: Final = "application/octet-stream"
"""Of a file whose name is of no known kind (RFC 2046, 4.5.1)."""


def find_result(
    data: Path, results: Sequence[ResultRow], name: str
) -> tuple[ResultRow, Path] | None:
    """Find a file of a job.

    Parameters
    ----------
    data : Path
        The node's data folder.
    results : sequence of ResultRow
        Of the job.
    name : str
        As asked for.

    Returns
    -------
    tuple of (ResultRow, Path) or None
        None where no row has that name, or its file is gone or lies outside ``results``.
    """
    row = next((row for row in results if row.name == name and row.path), None)
    if row is None:
        return None
    folder = (data / "results").resolve()
    path = (data / row.path).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        return None
    return row, path


def pictures_of(
    results: Sequence[ResultRow], earlier: Sequence[ResultRow]
) -> list[tuple[ResultRow, ResultRow | None]]:
    """Give the pictures of a job, each with that of the same series in the job that it replaces."""
    before = {row.name: row for row in earlier if row.path and _is_shown(row)}
    return [(row, before.get(row.name)) for row in results if row.path and _is_shown(row)]


def title_of(row: ResultRow) -> str:
    """Name what a file is; of no known kind, by the group it was kept under."""
    kind = kind_of(row.name)
    return row.kind if kind is None else kind.title


def _is_shown(row: ResultRow) -> bool:
    kind = kind_of(row.name)
    return kind is not None and kind.is_shown
