"""Is a series complete? What proves it, what speaks against it, and how long to wait.

DICOM has no end of a series. A gap between slices, or fewer objects than announced, proves that
it is incomplete; proof that it is complete needs a gap-free series and a count from somebody who
knows. Without either the quiet timer decides, and the answer says that it was only assumed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.node.intake.survey import Survey
    from app.settings import CompletenessSettings

MIN_PLACES: Final = 5
"""Fewer slices are no spine series. A peer that receives while it forwards gives growing counts:
those it gives for the first slices must not count as proof."""


class Verdict(StrEnum):
    """What is known about a series' completeness."""

    COMPLETE_PROVEN = "complete_proven"
    """Gap-free, and as many as somebody who knows has announced."""
    COMPLETE_ASSUMED = "complete_assumed"
    """Nothing speaks against it and nobody sent anything for a while, or a person said so."""
    WAITING = "waiting"
    """More may come."""
    INCOMPLETE = "incomplete"
    """Something speaks against it, and nothing new came within the deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What others say.

    Attributes
    ----------
    peer_count : int or None
        Objects of this series at the peer it came from (C-FIND); None: unknown.
    is_peer_growing : bool
        The peer gave a smaller number before: it receives while it forwards.
    is_broken_off : bool
        The last association that brought objects ended without a release.
    is_forced : bool
        A person said: run it as it is.
    """

    peer_count: int | None = None
    is_peer_growing: bool = False
    is_broken_off: bool = False
    is_forced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """How long nothing happened, s.

    Attributes
    ----------
    activity_s : float
        Since the last object, new or repeated, or the last end of an association.
    objects_s : float
        Since the last new object.
    """

    activity_s: float
    objects_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """The verdict with everything it rests on.

    Attributes
    ----------
    verdict : Verdict
        Complete, waiting or incomplete.
    reasons : tuple of str
        Stable names: ``forced``, ``enhanced``, ``images_in_acquisition``, ``number_of_slices``,
        ``series_instances``, ``peer_count`` (proofs); ``quiet``, ``peer_has_no_more``;
        ``missing_slice``, ``missing_images``, ``fewer_than_announced``, ``fewer_than_at_peer``,
        ``association_broken_off`` (against).
    present : int
        Objects here.
    expected : int or None
        Objects announced, by the peer before the headers.
    expected_source : str or None
        Who announced it.
    places_mm, missing_mm : tuple of float
        As in `Coverage`, for the page.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    present: int
    expected: int | None = None
    expected_source: str | None = None
    places_mm: tuple[float, ...] = ()
    missing_mm: tuple[float, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Proven or assumed."""
        return self.verdict in {Verdict.COMPLETE_PROVEN, Verdict.COMPLETE_ASSUMED}

    def as_json(self) -> dict[str, Any]:
        """Plain dict for the journal and the page."""
        return asdict(self)


def judge(
    known: Survey, evidence: Evidence, silence: Silence, limits: CompletenessSettings
) -> Readiness:
    """Decide whether a series may be worked on.

    Parameters
    ----------
    known : Survey
        What is here.
    evidence : Evidence
        What others say.
    silence : Silence
        How long nothing happened.
    limits : CompletenessSettings
        Quiet time and deadline, s.

    Returns
    -------
    Readiness
        With every reason that applies.
    """
    doubts, proofs = tuple(_doubts(known, evidence)), tuple(_proofs(known, evidence))
    verdict, reasons = _weigh(doubts, proofs, silence, limits)
    if evidence.is_forced:
        verdict, reasons = Verdict.COMPLETE_ASSUMED, ("forced", *doubts)
    elif verdict is Verdict.INCOMPLETE and _peer_has_no_more(known, evidence, doubts):
        verdict, reasons = Verdict.COMPLETE_ASSUMED, ("peer_has_no_more", *doubts)
    expected, source = _expected(known, evidence)
    return Readiness(
        verdict=verdict,
        reasons=reasons,
        present=known.objects,
        expected=expected,
        expected_source=source,
        places_mm=known.coverage.places_mm,
        missing_mm=known.coverage.missing_mm,
    )


def _weigh(
    doubts: tuple[str, ...],
    proofs: tuple[str, ...],
    silence: Silence,
    limits: CompletenessSettings,
) -> tuple[Verdict, tuple[str, ...]]:
    is_late = silence.objects_s >= limits.deadline_s
    if doubts:
        return (Verdict.INCOMPLETE if is_late else Verdict.WAITING), doubts
    if proofs:
        return Verdict.COMPLETE_PROVEN, proofs
    # A sender that repeats what it sent before must not put off the start for ever.
    if silence.activity_s >= limits.quiet_s or is_late:
        return Verdict.COMPLETE_ASSUMED, ("quiet",)
    return Verdict.WAITING, ()


def _doubts(known: Survey, evidence: Evidence) -> Iterator[str]:
    """Everything that speaks against completeness."""
    if known.coverage.missing:
        yield "missing_slice"
    if known.coverage.lacking:
        yield "missing_images"
    if any(count.present < count.expected for count in known.counts):
        yield "fewer_than_announced"
    if evidence.peer_count is not None and known.objects < evidence.peer_count:
        yield "fewer_than_at_peer"
    if evidence.is_broken_off and not any(_proofs(known, evidence)):
        yield "association_broken_off"


def _proofs(known: Survey, evidence: Evidence) -> Iterator[str]:
    """Name the counts that are met exactly."""
    yield from (count.source for count in known.counts if count.present == count.expected)
    if (
        evidence.peer_count == known.objects
        and not evidence.is_peer_growing
        and known.coverage.places >= MIN_PLACES
    ):
        yield "peer_count"


def _peer_has_no_more(known: Survey, evidence: Evidence, doubts: tuple[str, ...]) -> bool:
    """After the deadline, the peer's word stands against a header's: some count other series in."""
    return evidence.peer_count == known.objects and doubts == ("fewer_than_announced",)


def _expected(known: Survey, evidence: Evidence) -> tuple[int | None, str | None]:
    if evidence.peer_count is not None:
        return evidence.peer_count, "c_find"
    if not known.counts:
        return None, None
    largest = max(known.counts, key=lambda count: count.expected)
    return largest.expected, largest.source
