"""Which segments a label map becomes: one per label, named, coded and coloured.

Two tables in ``anatomy`` say what labels mean; here they become items of the Segment Sequence.
Pixels are the business of ``segmentation``.

References
----------
DICOM PS3.3 C.8.20.4 (Segment Description macro).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import SegmentDescription
from highdicom.sr import CodedConcept
from pydicom.sr.codedict import codes

from operators.anatomy.codes import (
    LOCAL_SCHEME,
    STRUCTURES,
    Concept,
    Terms,
    instance_concept,
)
from operators.anatomy.colours import STRUCTURE_COLOURS, Rgb, dicom_cielab, instance_colour
from operators.anatomy.labels import DISC_OFFSET, ENDPLATE_OFFSET
from operators.anatomy.level_codes import level_regions
from operators.anatomy.levels import UNCERTAIN, are_numbers, level_text, texts_of, tones_of
from operators.anatomy.vertebrae import (
    cranial_to_caudal,
    ordinal_text,
    vertebra_of,
    vertebrae_among,
)
from operators.dicom.identity.provenance import MODEL_NAME, ModelIdentity, ResultContext
from operators.dicom.identity.uids import derived_uid
from operators.errors import EncodingError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from operators.anatomy.levels import LevelName

_LONG_STRING = 64
_NUMBER_NOTE = "Running number from the top of the image."
_LEVEL_NOTE = "The number is that of the level."
_ORDINAL_NOTE = "Running number from the top of the image, not an anatomical level."


@dataclass(frozen=True, slots=True)
class Segment:
    """One label of a map as a viewer will see it.

    Attributes
    ----------
    label : int
        Value in the label map.
    terms : Terms
        Name and coded concepts.
    colour : tuple of 3 int
        sRGB.
    note : str
        Goes into Segment Description; may be empty.
    """

    label: int
    terms: Terms
    colour: Rgb
    note: str = ""


def semantic_segments(labels: Iterable[int]) -> tuple[Segment, ...]:
    """Segments of a semantic map, in the order of `operators.anatomy.codes.STRUCTURES`.

    Parameters
    ----------
    labels : iterable of int
        Labels that are present, without 0.

    Returns
    -------
    tuple of Segment
        One per label.

    Raises
    ------
    EncodingError
        If a label is no structure.
    """
    present = set(labels)
    _refuse_unknown(present - set(STRUCTURES))
    return tuple(
        Segment(label, terms, STRUCTURE_COLOURS[label])
        for label, terms in STRUCTURES.items()
        if label in present
    )


def instance_segments(
    labels: Iterable[int], levels: Mapping[int, LevelName] | None = None
) -> tuple[Segment, ...]:
    """Segments of an instance map: vertebrae from the top, sacrum, discs, endplates.

    Parameters
    ----------
    labels : iterable of int
        Labels that are present, without 0: X, 100 + X, 200 + X, 26.
    levels : mapping of int to LevelName, optional
        What is known of the levels, by vertebra id.

    Returns
    -------
    tuple of Segment
        One per label: named by its number in the map and, with its reserve, by its level; a level
        that is certain is the region too.

    Raises
    ------
    EncodingError
        If a label is no instance.
    """
    present = set(labels)
    owners: dict[int, int] = {}
    for label in present:
        try:
            owners[label] = vertebra_of(label)
        except KeyError:
            continue
    _refuse_unknown(present - set(owners))
    vertebrae, levels = vertebrae_among(present), levels or {}
    texts, regions = texts_of(levels), level_regions(present, levels)
    tones, meaning = tones_of(levels), _LEVEL_NOTE if are_numbers(levels) else _NUMBER_NOTE
    segments = []
    seen: Counter[str] = Counter()
    for offset in (0, DISC_OFFSET, ENDPLATE_OFFSET):
        kind = [owner for label, owner in owners.items() if label - owner == offset]
        for owner in cranial_to_caudal(kind):
            label = owner + offset
            name = ordinal_text(label, vertebrae, texts)
            seen[name] += 1  # discs without a vertebra of their own can share their words
            name += f" ({seen[name]})" if seen[name] > 1 else ""
            note = "" if name == "sacrum" else _note(levels.get(owner), meaning)
            terms = Terms(name, instance_concept(label))
            terms = replace(terms, region=regions.get(label, terms.region))
            segments.append(Segment(label, terms, instance_colour(label, tones), note))
    return tuple(segments)


def _note(level: LevelName | None, meaning: str) -> str:
    """Say how the number of a segment is meant, and what its level rests on."""
    if level is None:
        return meaning if meaning == _LEVEL_NOTE else _ORDINAL_NOTE
    said = level.text
    if said == UNCERTAIN:
        said = f"uncertain, at best {level_text(level.level)}"
    evidence = f" ({', '.join(level.evidence)})" if level.evidence else ""
    return f"{meaning} Level: {said}, confidence {level.confidence:.2f}{evidence}."


def describe(
    segments: Sequence[Segment], algorithm: AlgorithmIdentificationSequence, key: str
) -> list[SegmentDescription]:
    """Items of the Segment Sequence.

    Parameters
    ----------
    segments : sequence of Segment
        In the order of their segment numbers, from 1.
    algorithm : AlgorithmIdentificationSequence
        The same for all.
    key : str
        Identity of the object; tracking UIDs are derived from it.

    Returns
    -------
    list of SegmentDescription
        Complete items with tracking identifiers and recommended colours.
    """
    return [
        _description(number, segment, algorithm, key) for number, segment in enumerate(segments, 1)
    ]


def algorithm_identification(
    kind: str, model: ModelIdentity, context: ResultContext
) -> AlgorithmIdentificationSequence:
    """Say which networks made a result.

    Parameters
    ----------
    kind : str
        ``"semantic"`` or ``"instances"``.
    model : ModelIdentity
        The network that the object comes from directly.
    context : ResultContext
        Digests of both networks and the parameters go in completely.

    Returns
    -------
    AlgorithmIdentificationSequence
        One item; the version ends in the first 12 digits of the model's digest.
    """
    parameters = {
        "semantic_model": context.semantic_model.name,
        "semantic_sha256": context.semantic_model.digest,
        "instance_model": context.instance_model.name,
        "instance_sha256": context.instance_model.digest,
        "numeric_profile": context.numeric_profile,
        **dict(context.parameters),
    }
    return AlgorithmIdentificationSequence(
        name=f"SPINEPS {kind}: {model.name}"[:_LONG_STRING],
        family=codes.cid7162.ArtificialIntelligence,
        version=f"{model.version[:40]} sha256:{model.digest[:12]}",
        source=f"{MODEL_NAME} {context.software_version}"[:_LONG_STRING],
        parameters=parameters,
    )


def _description(
    number: int, segment: Segment, algorithm: AlgorithmIdentificationSequence, key: str
) -> SegmentDescription:
    item = SegmentDescription(
        segment_number=number,
        segment_label=segment.terms.name,
        segmented_property_category=coded_concept(segment.terms.category),
        segmented_property_type=coded_concept(segment.terms.type),
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
        tracking_uid=derived_uid(key, "segment", str(segment.label)),
        tracking_id=segment.terms.name,
        anatomic_regions=[coded_concept(segment.terms.region)],
        display_color=CIELabColor.from_dicom_value(dicom_cielab(segment.colour)),
    )
    if segment.terms.modifiers:
        item.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [
            coded_concept(modifier) for modifier in segment.terms.modifiers
        ]
    if segment.note:
        item.SegmentDescription = segment.note
    return item


def coded_concept(concept: Concept) -> CodedConcept:
    """Coded concept as an item; of our own scheme with its version."""
    version = "1" if concept.scheme == LOCAL_SCHEME else None
    return CodedConcept(concept.value, concept.scheme, concept.meaning, version)


def _refuse_unknown(labels: set[int]) -> None:
    if labels:
        numbers = ", ".join(str(label) for label in sorted(labels))
        raise EncodingError(f"no name for label {numbers}", reasons=("unknown_label",))
