"""What the worker and its inference child say to each other: one JSON object per line.

The child speaks first (`Ready` or `Failed`), then answers every `Request` with any number of
`Progress` and one `Done`. Importing this loads no network library.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from app.errors import ProtocolError
from operators.anatomy.named_vertebrae import NamedVertebra
from operators.dicom.identity.provenance import IntendedUse, Predecessor
from operators.dicom.identity.result_kinds import SERVED_EXTRAS

LONGEST_LINE: Final = 16 * 1024 * 1024
"""Bytes; a record lists every series of a study with its reasons, some kilobytes each."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Request(_Message):
    """Segment one study.

    Attributes
    ----------
    job_id : str
        Comes back in every answer.
    source : Path or tuple of Path
        Folder with the objects of the job, an image, or DICOM files.
    output : Path
        Folder for the results; made if missing.
    started : datetime
        Time written into the results: that of the job's first attempt.
    extras : tuple of str
        Optional kinds of results that are written as well: destinations get the measurements,
        and report and picture where they ask for them; the page shows both.
    nifti : bool
        Also write masks and centroids as NIfTI and JSON.
    predecessors : tuple of Predecessor
        Results of an earlier revision of the same series that these results replace.
    parameters : tuple of (str, str)
        Settings of the site that change the result.
    intended_use : IntendedUse or None
        Of the site.
    named : tuple of NamedVertebra
        Levels that a person has given.
    others : tuple of dict
        Results of other series of the study (`operators.spine.levels.stations.Station.as_json`).
    """

    type: Literal["request"] = "request"
    job_id: str
    source: Path | tuple[Path, ...]
    output: Path
    started: AwareDatetime
    extras: tuple[str, ...] = SERVED_EXTRAS
    nifti: bool = False
    predecessors: tuple[Predecessor, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()
    intended_use: IntendedUse | None = None
    named: tuple[NamedVertebra, ...] = ()
    others: tuple[dict[str, Any], ...] = ()


class Ready(_Message):
    """Models are loaded.

    Attributes
    ----------
    profile : str
        Device, engine and number format, such as ``cpu-openvino-fp32+cpu-fp32``.
    models : dict
        Name, version and digest of the model of each phase.
    """

    type: Literal["ready"] = "ready"
    profile: str
    models: dict[str, dict[str, str]] = Field(default_factory=dict)


class Progress(_Message):
    """How far a request is: step of the graph, and the part of this step that is done."""

    type: Literal["progress"] = "progress"
    job_id: str
    step: str
    fraction: float = Field(ge=0, le=1)


class Done(_Message):
    """A request's end, good or bad: `app.run.record.ResultRecord` as a dict, without decisions."""

    type: Literal["done"] = "done"
    job_id: str
    record: dict[str, Any]


class Failed(_Message):
    """Last words of a child that cannot go on; free of patient data."""

    type: Literal["failed"] = "failed"
    code: str
    message: str


Answer = Ready | Progress | Done | Failed

_ANSWERS: Final[TypeAdapter[Answer]] = TypeAdapter(Annotated[Answer, Field(discriminator="type")])


def encode(message: Request | Answer) -> bytes:
    r"""One line of UTF-8 JSON.

    Examples
    --------
    >>> encode(Progress(job_id="a", step="postprocess", fraction=0.5))
    b'{"type":"progress","job_id":"a","step":"postprocess","fraction":0.5}\n'
    """
    return message.model_dump_json().encode() + b"\n"


def decode_request(line: bytes | str) -> Request:
    """Request in a line.

    Raises
    ------
    ProtocolError
        If it holds none.
    """
    try:
        return Request.model_validate_json(line)
    except ValidationError as error:
        raise _not_a_message(error) from None


def decode_answer(line: bytes | str) -> Answer:
    """Answer in a line.

    Raises
    ------
    ProtocolError
        If it holds none; the text of the line is not repeated.
    """
    try:
        return _ANSWERS.validate_json(line)
    except ValidationError as error:
        raise _not_a_message(error) from None


def _not_a_message(error: ValidationError) -> ProtocolError:
    # pydantic's own text quotes the input.
    return ProtocolError(f"not a message: {error.error_count()} problems")
