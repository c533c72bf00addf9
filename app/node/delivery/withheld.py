"""Which objects of a job the quality gate withholds, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.node.journal.deliveries import WITHHELD
from operators.spine.quality.findings import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from app.node.journal.runs import ResultFile

LONGEST_CAUSE: Final = 64
"""Width of the journal's column; PostgreSQL refuses longer values."""

_MORE: Final = ", ..."


def withheld_objects(record: Mapping[str, Any], files: Iterable[ResultFile]) -> dict[str, str]:
    """Name the objects that wait for a person, whatever the site releases by itself.

    Parameters
    ----------
    record : mapping
        `app.run.record.ResultRecord` as plain data; one of a version without a gate withholds none.
    files : iterable of ResultFile
        Of the job.

    Returns
    -------
    dict of str to str
        `WITHHELD` and the names of the rules, as many as fit, by SOP Instance UID. Of a series with
        several stacks only the objects of those that are withheld.
    """
    causes: dict[str, str] = {}
    for entry in record.get("series") or ():
        quality = entry.get("quality") or {}
        if quality.get("outcome") == Outcome.WITHHOLD:
            found = quality.get("findings") or ()
            rules = [one["rule"] for one in found if one["outcome"] == Outcome.WITHHOLD]
            causes |= dict.fromkeys(entry.get("files") or (), _cause(rules))
    objects = (file for file in files if file.sop_instance_uid)
    return {file.sop_instance_uid: causes[file.name] for file in objects if file.name in causes}


def _cause(rules: list[str]) -> str:
    text = WITHHELD + ", ".join(rules)
    if len(text) <= LONGEST_CAUSE:
        return text
    # Names are whole: the page says them in words.
    return text[: text.rindex(", ", 0, LONGEST_CAUSE - len(_MORE) + 1)] + _MORE
