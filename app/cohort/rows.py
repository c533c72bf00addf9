"""What became of a case, as rows: one per segmented stack, or per source without one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from app.errors import InferenceLostError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from app.cohort.cases import Source

OK: Final = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of ``cohort.csv``, but for the names of the case and the seconds.

    Attributes
    ----------
    series : str
        Key of the stack, as ``spine-node run`` calls it; empty where there is none.
    series_uid : str
        Series Instance UID; empty for an image.
    source : str
        Path in the data set.
    status : str
        ``ok``, ``failed``, ``no_series``.
    reason : str
        Error code and reasons, space-separated; empty where it is ok.
    quality : str
        Outcome of the quality gate: ``release``, ``flag``, ``withhold``; empty without a result.
    findings : tuple of str
        What the gate found: rule and place.
    flags : tuple of str
        The findings, and what else a person should know.
    confidence : float or None
        Mean of the structures' mean probability, 0 to 1.
    vertebrae : int
        How many.
    volumes_ml : dict
        By structure.
    """

    series: str
    series_uid: str
    source: str
    status: str
    reason: str = ""
    quality: str = ""
    findings: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    confidence: float | None = None
    vertebrae: int = 0
    volumes_ml: Mapping[str, float]
    files: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain dict."""
        return asdict(self)


def rows_of(
    source: Source, record: Mapping[str, Any], names: Sequence[tuple[str, ...]]
) -> Iterator[tuple[Row, float]]:
    """Make the rows of one run.

    Parameters
    ----------
    source : Source
        What was read.
    record : mapping
        `app.run.record.ResultRecord` as a dict.
    names : sequence of tuple of str
        Published file names of each of its series.

    Yields
    ------
    (Row, float)
        And the seconds of this stack's steps; of the whole run, where there is no stack.
    """
    series = record["series"]
    for entry, files in zip(series, names, strict=True):
        error, quality = entry["error"], entry["quality"] or {}
        findings = tuple(_findings(quality))
        row = Row(
            series=entry["key"],
            series_uid=source.series_uid(entry["key"]),
            source=source.name,
            status=entry["status"],
            reason=reason_of(error),
            quality=quality.get("outcome", ""),
            findings=findings,
            flags=(*findings, *entry["facts"]),
            confidence=_confidence(entry),
            vertebrae=entry["vertebrae"],
            volumes_ml=entry["volumes_ml"],
            files=files,
        )
        yield row, round(sum(entry["durations_s"].values()), 3)
    if not series:
        status = "no_series" if record["status"] == "no_series" else "failed"
        row = Row(
            series="",
            series_uid=source.series_uids[0] if len(source.series_uids) == 1 else "",
            source=source.name,
            status=status,
            reason=reason_of(record["error"]),
            volumes_ml={},
        )
        yield row, round(record["duration_s"], 3)


def reason_of(error: Mapping[str, Any] | None) -> str:
    """Code and reasons of an error record, space-separated."""
    return "" if error is None else " ".join((error["code"], *error["reasons"]))


def has_lost(record: Mapping[str, Any] | None) -> bool:
    """Whether a run of a published case lost its inference process."""
    errors = [] if record is None else [run["error"] for run in record["runs"]]
    return any(error is not None and error["code"] == InferenceLostError.code for error in errors)


def _findings(quality: Mapping[str, Any]) -> Iterator[str]:
    for finding in quality.get("findings", ()):
        yield from (f"{finding['rule']}: {place}" for place in finding["places"])


def _confidence(entry: Mapping[str, Any]) -> float | None:
    means = list(entry["confidence"].get("structures", {}).values())
    return round(sum(means) / len(means), 4) if means else None
