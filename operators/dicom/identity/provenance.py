"""What a result is made of: models, parameters, versions, time; and the key that follows from it.

The same key means the same result. This module writes no DICOM: ``segmentation`` does. Why each
part counts: ``app/decisions/0011-one-identity-of-a-result.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from operators.dicom.identity.stack_identity import ONLY_STACK, StackIdentity
from operators.dicom.identity.uids import digest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

RESULT_VERSION = "11"
"""Raise whenever the same input can give other voxels or other attributes than before.

`tests.builders.golden_result` says when: its digest changes.
"""

MANUFACTURER = "SPINEPS Node project"
MODEL_NAME = "SPINEPS Node"
RESEARCH_NOTICE = "research use only, not for diagnosis"


@dataclass(frozen=True, slots=True, kw_only=True)
class IntendedUse:
    """What a site says its results are for; the only thing that takes the research notice off.

    Attributes
    ----------
    statement : str
        In one sentence.
    responsible : str
        Name of the person who answers for it.
    """

    statement: str
    responsible: str

    @property
    def text(self) -> str:
        """Both in one line."""
        return f"{self.statement} (responsible: {self.responsible})"


def notice_of(intended_use: IntendedUse | None) -> str:
    """Say what results may be used for.

    Parameters
    ----------
    intended_use : IntendedUse or None
        Of the site.

    Returns
    -------
    str
        `RESEARCH_NOTICE` without one.
    """
    return RESEARCH_NOTICE if intended_use is None else intended_use.text


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkIdentity:
    """Everything but the images that a result depends on: job ids and UIDs are both made of it.

    Attributes
    ----------
    semantic_digest, instance_digest : str
        SHA-256 of the files of the networks of phase 1 and phase 2.
    software_version : str
        Version of SPINEPS Node. It is written into every object, so that two versions never write
        the same bytes.
    numeric_profile : str
        Device, engine and number format: as the site asks for them where a job is made
        (``auto-auto-auto``), as they were used where a result is (``cpu-openvino-fp32``).
    parameters : tuple of (str, str)
        Settings that change the result, by name, in any order.
    intended_use : IntendedUse or None
        Of the site: every object says it, or that it is for research only.
    """

    semantic_digest: str
    instance_digest: str
    software_version: str
    numeric_profile: str
    parameters: tuple[tuple[str, str], ...] = ()
    intended_use: IntendedUse | None = None

    def key(self, purpose: str, *content: str) -> str:
        """Identify work on some content.

        Parameters
        ----------
        purpose : str
            What the key is for: a job and its result have different ones.
        *content : str
            What is worked on.

        Returns
        -------
        str
            64 hexadecimal digits; `RESULT_VERSION` counts, too.
        """
        return digest(
            (
                purpose,
                RESULT_VERSION,
                self.software_version,
                self.semantic_digest,
                self.instance_digest,
                self.numeric_profile,
                "research" if self.intended_use is None else self.intended_use.text,
                digest(text for pair in sorted(self.parameters) for text in pair),
                *content,
            )
        )


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which network a result comes from.

    Attributes
    ----------
    name : str
        Name in the model registry, at most 64 characters.
    version : str
        Version of the model.
    digest : str
        SHA-256 of the model's files, hexadecimal.
    """

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Predecessor:
    """An object that a new result replaces.

    Attributes
    ----------
    kind : str
        Name in `identity.result_kinds.KINDS`. Each object names the predecessor of its own
        kind.
    study_uid, series_uid, sop_instance_uid : str
        Where it is found.
    stack : StackIdentity
        Which stack of the source series it shows; by default the only one, at an unknown place.
    """

    kind: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    stack: StackIdentity = ONLY_STACK


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultContext:
    """Everything about a result that does not come from the source series.

    Attributes
    ----------
    semantic_model, instance_model : ModelIdentity
        The networks of phase 1 and phase 2. A mask given from outside is a model, too: its name
        says so and its digest is that of the file.
    clock : datetime
        When the result was made, as recorded at the first attempt; a retry passes the same. An
        aware time is converted to the source's Timezone Offset From UTC where that is known.
    software_version : str
        Version of SPINEPS Node.
    numeric_profile : str
        Device, engine and number format of phase 1, then of phase 2, such as
        ``cpu-openvino-fp32+cpu-fp32``: results differ in single voxels between them.
    parameters : tuple of (str, str)
        Settings that change the result, by name.
    intended_use : IntendedUse or None
        Of the site, where it has set one.
    device_serial_number : str
        Serial number of this installation; must not be empty in DICOM.
    predecessors : tuple of Predecessor
        Results of an earlier revision of the same series, which the new ones replace.
    stack : StackIdentity
        Which stack of the source series the result shows.
    """

    semantic_model: ModelIdentity
    instance_model: ModelIdentity
    clock: datetime
    software_version: str
    numeric_profile: str = "cpu-fp32"
    parameters: tuple[tuple[str, str], ...] = ()
    intended_use: IntendedUse | None = None
    device_serial_number: str = "1"
    predecessors: tuple[Predecessor, ...] = ()
    stack: StackIdentity = ONLY_STACK

    def of_stack(self, stack: StackIdentity) -> ResultContext:
        """Context of the result of one stack, with those predecessors alone that it replaces.

        Parameters
        ----------
        stack : StackIdentity
            Of the new result.

        Returns
        -------
        ResultContext
            Of each kind the first predecessor, as they are listed (the latest first), that shows
            the same place; where both are the only stack of their series, whatever the place.
        """
        replaced: dict[str, Predecessor] = {}
        for one in self.predecessors:
            is_only = stack.is_only and one.stack.is_only
            if one.kind not in replaced and (is_only or stack.is_same_place(one.stack)):
                replaced[one.kind] = one
        return replace(self, stack=stack, predecessors=tuple(replaced.values()))

    @property
    def is_research_only(self) -> bool:
        """Whether the result says so: wherever no intended use is set."""
        return self.intended_use is None

    @property
    def notice(self) -> str:
        """What the result may be used for, in words."""
        return notice_of(self.intended_use)

    @property
    def identity(self) -> WorkIdentity:
        """What of it the result depends on; names, clock and serial number do not count."""
        return WorkIdentity(
            semantic_digest=self.semantic_model.digest,
            instance_digest=self.instance_model.digest,
            software_version=self.software_version,
            numeric_profile=self.numeric_profile,
            parameters=self.parameters,
            intended_use=self.intended_use,
        )


def result_key(source_digests: Iterable[str], context: ResultContext) -> str:
    """Identify a result by what it was made from.

    Parameters
    ----------
    source_digests : iterable of str
        Digest of the pixels and the identifying header of every source plane, in array order.
    context : ResultContext
        Its `identity` and its predecessors count. Clock and serial number do not: repeating a run
        later or on another machine gives the same result.

    Returns
    -------
    str
        64 hexadecimal digits, from which every UID of the result is derived.
    """
    named = sorted(predecessor.sop_instance_uid for predecessor in context.predecessors)
    content = digest(source_digests), digest(named), context.stack.label
    return context.identity.key("spineps-node-result", *content)
