"""What an object's header says about its place in the series: the evidence for completeness.

Kept as JSON in the row of the instance, so that nobody opens the file again to judge.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivalFacts:
    """Facts of one object; None or empty where the header does not say or says nonsense.

    Attributes
    ----------
    modality : str
        (0008,0060).
    is_image : bool
        An MR image of a class that can be segmented; anything else is kept and never triggers.
    is_enhanced : bool
        Enhanced or Legacy Converted Enhanced MR: one object, many frames.
    rows, columns : int, optional
        Matrix.
    image_position : tuple of 3 float, optional
        (0020,0032), mm, LPS.
    image_orientation : tuple of 6 float, optional
        (0020,0037), cosines of row and column.
    number_of_frames, acquisition_number : int, optional
        (0028,0008), (0020,0013), (0020,0012).
    echo_number : int, optional
        (0018,0086), the first.
    echo_time : float, optional
        (0018,0081), ms.
    temporal_position : int, optional
        (0020,0100).
    trigger_time : float, optional
        (0018,1060), ms.
    images_in_acquisition : int, optional
        (0020,1002).
    series_instances : int, optional
        (0020,1209), where a sender writes it into its objects.
    number_of_slices : int, optional
        (2001,1018), Philips: number of slices of the stack.
    image_type : tuple of str
        (0008,0008).
    is_concatenated : bool
        A part of an object that was split ((0020,9161) is there).
    """

    modality: str = ""
    is_image: bool = False
    is_enhanced: bool = False
    rows: int | None = None
    columns: int | None = None
    image_position: tuple[float, ...] | None = None
    image_orientation: tuple[float, ...] | None = None
    number_of_frames: int | None = None
    acquisition_number: int | None = None
    echo_number: int | None = None
    echo_time: float | None = None
    temporal_position: int | None = None
    trigger_time: float | None = None
    images_in_acquisition: int | None = None
    series_instances: int | None = None
    number_of_slices: int | None = None
    image_type: tuple[str, ...] = ()
    is_concatenated: bool = False

    def to_json(self) -> str:
        """As it is kept in the journal; what the header did not say is left out."""
        values = ((entry.name, getattr(self, entry.name)) for entry in fields(self))
        said = {name: value for name, value in values if value not in (None, ())}
        return json.dumps(said, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> ArrivalFacts:
        """From a row of the journal; keys of other versions are passed over."""
        known = {field.name for field in fields(cls)}
        said: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in json.loads(text).items()
            if name in known
        }
        return cls(**said)
