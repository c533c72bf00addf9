"""One series, several images of the same place: split by what tells them apart.

Proton density and T2 echoes, repeated measurements, diffusion weightings and Dixon images are often
stored in one series. A series is split only where positions repeat, and only by echo, temporal
position, b-value and Dixon image; whatever else repeats is left for assembly to refuse. Stacks at
different places are told apart before, by `operators.dicom.selection.spatial_stacks`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operators.dicom.headers.header_values import median, numbers, positive_number
from operators.dicom.selection.image_kind import NO_DIXON, DixonImage, dixon_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydicom.dataset import Dataset

    from operators.dicom.reading.series import Frame

_SAME_ECHO_MS = 2.0
_SAME_ECHO_SHARE = 0.05
"""Echo times closer than 2 ms or 5 % are one echo: rounding, and Dixon's echo shifts."""

_DECIMALS = 2
"""Positions are compared at 0.01 mm, cosines at 0.01."""


@dataclass(frozen=True, slots=True)
class Stack:
    """Frames of a series that show each place once (as far as can be told).

    Attributes
    ----------
    frames : tuple of Frame
        In the order of the series.
    echo_time_ms : float or None
        Of the echo, where the series was split by it and its header says one.
    echo_number : int or None
        (0018,0086), where the series was split by echo and no time is said.
    temporal_position : int or None
        Rank of the measurement, where the series was split by it.
    b_value_s_mm2 : float or None
        Diffusion weighting, where the series was split by it.
    dixon : DixonImage
        Which Dixon image this is.
    """

    frames: tuple[Frame, ...]
    echo_time_ms: float | None = None
    echo_number: int | None = None
    temporal_position: int | None = None
    b_value_s_mm2: float | None = None
    dixon: DixonImage = NO_DIXON

    @property
    def told_apart_by(self) -> str:
        """What tells it from the other stacks of its series, for the reader; may be empty."""
        told = (
            (self.echo_time_ms is not None, f"TE {self.echo_time_ms or 0:.0f} ms"),
            (self.echo_number is not None, f"echo {self.echo_number}"),
            (self.temporal_position is not None, f"temporal position {self.temporal_position}"),
            (self.b_value_s_mm2 is not None, f"b {self.b_value_s_mm2 or 0:.0f} s/mm2"),
            (self.dixon.is_in_phase, "Dixon in-phase"),
            (self.dixon.is_water, "Dixon water"),
        )
        return ", ".join(words for applies, words in told if applies)


def place_of(header: Dataset) -> tuple[float, ...] | None:
    """Where a slice lies: position and orientation, rounded; None where not said."""
    position = numbers(header, "ImagePositionPatient")
    orientation = numbers(header, "ImageOrientationPatient")
    if not position or not orientation:
        return None
    return tuple(round(value, _DECIMALS) + 0.0 for value in (*position, *orientation))


def split_series(frames: Sequence[Frame]) -> tuple[Stack, ...]:
    """Split the frames of one series into stacks.

    Parameters
    ----------
    frames : sequence of Frame
        At least one.

    Returns
    -------
    tuple of Stack
        In the order of what tells them apart, whatever the order of the frames; a single one
        where no position repeats or nothing tells the repeats apart.
    """
    places = [place_of(frame.header) for frame in frames]
    known = [place for place in places if place is not None]
    if len(set(known)) == len(known):
        return (_whole(frames),)
    echoes = _echo_of_each(frames)
    groups: dict[tuple[object, ...], list[Frame]] = defaultdict(list)
    for frame, echo in zip(frames, echoes, strict=True):
        key = (echo, _temporal(frame), _b_value(frame), dixon_image(frame.header))
        groups[key].append(frame)
    if len(groups) == 1:
        return (_whole(frames),)
    return tuple(_stack(groups[key], groups) for key in sorted(groups, key=_sortable))


def _sortable(key: tuple[object, ...]) -> tuple[tuple[bool, object], ...]:
    """Unknown parts of a key last."""
    return tuple((part is None, 0 if part is None else part) for part in key)


def distinct_echo_times_ms(frames: Sequence[Frame]) -> tuple[float, ...]:
    """Echo times of a series, ascending, with rounding differences taken as one."""
    times = sorted({time for frame in frames if (time := _echo_time(frame)) is not None})
    kept: list[float] = []
    for time in times:
        if not kept or time - kept[-1] > max(_SAME_ECHO_MS, _SAME_ECHO_SHARE * time):
            kept.append(time)
    return tuple(kept)


def _whole(frames: Sequence[Frame]) -> Stack:
    return Stack(tuple(frames), dixon=dixon_image(frames[0].header))


def _stack(group: Sequence[Frame], groups: dict[tuple[object, ...], list[Frame]]) -> Stack:
    """Describe one group by the attributes in which the groups differ."""
    first = group[0]
    varies = [len(set(values)) > 1 for values in zip(*groups, strict=True)]
    echo_time = median([_echo_time(frame) for frame in group])
    return Stack(
        tuple(group),
        echo_time_ms=echo_time if varies[0] else None,
        echo_number=_echo_number(first) if varies[0] and echo_time is None else None,
        temporal_position=_temporal(first) if varies[1] else None,
        b_value_s_mm2=_b_value(first) if varies[2] else None,
        dixon=dixon_image(first.header),
    )


def _echo_of_each(frames: Sequence[Frame]) -> list[int | None]:
    """Rank of each frame's echo by echo time; by echo number where no time is said.

    A frame that lacks its time belongs to the echo of its number, where others say which.
    """
    echoes = distinct_echo_times_ms(frames)
    ranks: list[int | None] = []
    of_number: dict[int, set[int]] = defaultdict(set)
    for frame in frames:
        time, number = _echo_time(frame), _echo_number(frame)
        ranks.append(None if time is None else sum(echo <= time for echo in echoes))
        if time is not None and number is not None:
            of_number[number].add(sum(echo <= time for echo in echoes))
    for index, frame in enumerate(frames):
        number = _echo_number(frame)
        if ranks[index] is None and number is not None:
            known = of_number.get(number, set())
            ranks[index] = next(iter(known)) if len(known) == 1 else -number
    return ranks


def _echo_number(frame: Frame) -> int | None:
    number = positive_number(frame.header, "EchoNumbers")
    return None if number is None else int(number)


def _echo_time(frame: Frame) -> float | None:
    return positive_number(frame.header, "EchoTime")


def _temporal(frame: Frame) -> int | None:
    position = positive_number(frame.header, "TemporalPositionIdentifier")
    return None if position is None else int(position)


def _b_value(frame: Frame) -> float | None:
    values = numbers(frame.header, "DiffusionBValue")
    return values[0] if values else None
