"""Step 6: final masks -> the level of every vertebra, with its confidence.

Where every level is certain, they become the ids of the masks, and everything that knows a vertebra
by its id is given the new one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from operators.case_step import CaseStep
from operators.dicom.identity.uids import digest
from operators.errors import NamesRejectedError, SegmentationError
from operators.spine.levels.measures import SpineMeasures, measure_spine
from operators.spine.levels.names import BY_A_STATION, name_stations
from operators.spine.levels.network import with_answers
from operators.spine.levels.numbers import (
    by_new_number,
    facts_with,
    levels_as_numbers,
    renumbered,
    station_with,
)
from operators.spine.levels.stations import Station

if TYPE_CHECKING:
    from typing import Any

    from operators.anatomy.levels import LevelName
    from operators.anatomy.named_vertebrae import NamedVertebra
    from operators.case import Case, Progress
    from operators.networks.labelling import LabellingModel

_DIGITS: Final = 16
"""Of a frame's digest: enough to tell those of one study apart."""


class LabelVertebraeOperator(CaseStep):
    """Receive ``cases``, emit ``cases`` with the levels of their vertebrae."""

    NAME = "label_vertebrae"

    def __init__(
        self,
        fragment: Any,
        *args: Any,
        named: tuple[NamedVertebra, ...] = (),
        others: tuple[Station, ...] = (),
        model: LabellingModel | None = None,
        progress: Progress,
        **kwargs: Any,
    ) -> None:
        """Keep what is known from elsewhere, and the labelling network if there is one."""
        self._named, self._others, self._model = named, others, model
        self._spines: dict[str, SpineMeasures] = {}
        super().__init__(fragment, *args, progress=progress, **kwargs)

    def advanced(self, cases: tuple[Case, ...]) -> tuple[Case, ...]:
        """Measure every case, then name the vertebrae of all of them together."""
        self._spines = {}
        named = name_cases(super().advanced(cases), self._spines, self._named, self._others)
        return tuple(with_levels_as_numbers(case) for case in named)

    def step(self, case: Case) -> Case:
        """Measure a case that has masks."""
        if case.volume is None or case.semantic is None or case.instances is None:
            raise SegmentationError("naming the vertebrae lacks the image or a mask")
        maps = case.semantic, case.instances
        spine = measure_spine(*maps)
        if self._model is not None:

            def looked(done: int, total: int) -> None:
                self._progress(case.key, self.NAME, done / total)

            spine = with_answers(spine, self._model.predict(case.volume, maps, looked))
        self._spines[case.key] = spine
        return case


def name_cases(
    cases: tuple[Case, ...],
    spines: dict[str, SpineMeasures],
    named: tuple[NamedVertebra, ...] = (),
    others: tuple[Station, ...] = (),
) -> tuple[Case, ...]:
    """Give the vertebrae of all cases their levels.

    Parameters
    ----------
    cases : tuple of Case
        Of one patient.
    spines : dict of str to SpineMeasures
        What the masks show, by key of the case; a failed case has none.
    named : tuple of NamedVertebra
        What a person said.
    others : tuple of Station
        Results of other series of the study. What a person said about them gives way to `named`.

    Returns
    -------
    tuple of Case
        Failed where what a person said fits none of them: a result without it would contradict
        the person.
    """
    good = [case for case in cases if case.key in spines]
    try:
        unnamed = [Station(spines[case.key], _frame_of(case)) for case in good]
        centres = _shown_centres(good, unnamed, others, named)
        pinned = _found(centres, named, is_whole=len(good) == len(cases))
        own = [replace(s, named=pinned[c.key]) for c, s in zip(good, unnamed, strict=True)]
        names = _names_of(own, others)
    except NamesRejectedError as error:
        return tuple(case if case.failure else replace(case, failure=error) for case in cases)
    given = {c.key: (station, n) for c, station, n in zip(good, own, names, strict=True)}
    return tuple(_named(case, *given[case.key]) if case.key in given else case for case in cases)


def with_levels_as_numbers(case: Case) -> Case:
    """Make the levels of a named case the ids of its vertebrae, if every one is certain.

    Parameters
    ----------
    case : Case
        After `name_cases`.

    Returns
    -------
    Case
        Masks, levels, means of the networks' certainty, measures and facts have the new ids; the
        same case where a level is in doubt, or it has none.
    """
    numbers = levels_as_numbers(case.levels)
    if not numbers or case.failure is not None or case.instances is None:
        return case
    sure, agreed = case.confidence, case.agreement
    return replace(
        case,
        instances=renumbered(case.instances, numbers),
        levels=by_new_number(case.levels, numbers),
        station=case.station and station_with(case.station, numbers),
        confidence=sure and replace(sure, vertebrae=by_new_number(sure.vertebrae, numbers)),
        agreement=agreed and replace(agreed, vertebrae=by_new_number(agreed.vertebrae, numbers)),
        facts=facts_with(case.facts, numbers),
    )


def _names_of(own: list[Station], others: tuple[Station, ...]) -> list[dict[int, LevelName]]:
    try:
        names = name_stations([*own, *others])
    except NamesRejectedError:
        names = name_stations([*own, *(replace(other, named={}) for other in others)])
    return list(names[: len(own)])


def _named(case: Case, station: Station, levels: dict[int, LevelName]) -> Case:
    is_linked = any(BY_A_STATION in name.evidence for name in levels.values())
    said = json.dumps([(n, name.as_json()) for n, name in levels.items()])
    return replace(
        case,
        levels=levels,
        levels_of_stations=digest([said]) if is_linked else "",
        station=station,
    )


def _shown_centres(
    good: list[Case],
    stations: list[Station],
    others: tuple[Station, ...],
    named: tuple[NamedVertebra, ...],
) -> dict[str, _Centres]:
    """Place and running number of every vertebra, by case and by the number that a person reads.

    That is the number which a run without a person's names gives it.
    """
    running: dict[str, dict[int, int]] = {case.key: {} for case in good}
    if not all(one.centre_mm for one in named):
        shown = zip(good, _names_of(stations, others), strict=True)
        running = {
            case.key: {level: n for n, level in levels_as_numbers(levels).items()}
            for case, levels in shown
        }
    return {
        case.key: _centres_of(station.spine, running[case.key])
        for case, station in zip(good, stations, strict=True)
    }


def _found(
    centres: dict[str, _Centres], named: tuple[NamedVertebra, ...], *, is_whole: bool
) -> dict[str, dict[int, int]]:
    """Levels by case and running number; what is named may lie in a case that failed."""
    pinned: dict[str, dict[int, int]] = {key: {} for key in centres}
    for one in named:
        if not (one.key or one.centre_mm) and len(centres) > 1:
            message = "there are several results; name vertebrae with the result, as KEY:3=L4"
            raise NamesRejectedError(message, reasons=("several_results",))
        places = {key: one.find(key, shown.by_number) for key, shown in centres.items()}
        found = {key: vertebra for key, vertebra in places.items() if vertebra is not None}
        if not found and is_whole:
            message = "a vertebra that a person named is not there"
            raise NamesRejectedError(message, reasons=("unknown_vertebra",))
        for key, vertebra in found.items():
            pinned[key][centres[key].running.get(vertebra, vertebra)] = one.level
    return pinned


@dataclass(frozen=True, slots=True)
class _Centres:
    """Vertebrae by the number that a person reads, which may be their level.

    Attributes
    ----------
    by_number : dict of int to tuple of float
        Centre, LPS, mm.
    running : dict of int to int
        Running number where it is another one.
    """

    by_number: dict[int, tuple[float, ...]]
    running: dict[int, int]


def _centres_of(spine: SpineMeasures, running: dict[int, int]) -> _Centres:
    shown = {n: number for number, n in running.items()}
    centres = {
        shown.get(v.vertebra, v.vertebra): tuple(float(x) for x in v.centre_lps)
        for v in spine.vertebrae
    }
    return _Centres(centres, running)


def _frame_of(case: Case) -> str:
    """Digest of the frame of reference, within its study: some de-identified ones are all alike."""
    if case.series is None:
        return ""
    frame = str(case.series.frames[0].header.get("FrameOfReferenceUID", ""))
    return frame and digest([case.series.study_uid, frame])[:_DIGITS]
