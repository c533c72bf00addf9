"""On which terms an association is accepted: title, time-outs, SOP classes, transfer syntaxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedMRColorImageStorage,
    EnhancedSRStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
)
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES
from pynetdicom.presentation import PresentationContext, build_context

from app.node.archive.spool import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from app.node.peers.commitment import PUSH_MODEL
from operators.dicom.headers.mr_images import MR_IMAGE_CLASSES
from operators.dicom.identity.result_kinds import DELIVERED, OBJECT_CLASSES

if TYPE_CHECKING:
    from app.node.listener.services import ListenerServices
    from app.settings import ListenerSettings

KEPT_CLASSES: Final = tuple(
    dict.fromkeys(
        (
            *sorted(MR_IMAGE_CLASSES),
            EnhancedMRColorImageStorage,
            *(OBJECT_CLASSES[group] for group in DELIVERED),
            BasicTextSRStorage,
            EnhancedSRStorage,
            ComprehensiveSRStorage,
            Comprehensive3DSRStorage,
            KeyObjectSelectionDocumentStorage,
        )
    )
)
"""Storage SOP classes taken from everybody: images, and the results that go everywhere and may come
back. `extra_sop_classes` adds to them."""

TRANSFER_SYNTAXES: Final = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    *(
        syntax
        for syntax in ALL_TRANSFER_SYNTAXES
        if syntax not in {ExplicitVRLittleEndian, ImplicitVRLittleEndian}
    ),
)
"""All standard ones, in the order of preference where a sender leaves the choice."""

VERIFICATION: Final = UID("1.2.840.10008.1.1")


@dataclass(frozen=True, slots=True)
class Terms:
    """What an association that begins now is given; one that is open keeps its own.

    Attributes
    ----------
    services : ListenerServices
        What associations share.
    entity : AE
        Our side: title, time-outs, limits.
    contexts : list of PresentationContext
        What is supported; shared and never changed.
    """

    services: ListenerServices
    entity: AE
    contexts: list[PresentationContext]

    @classmethod
    def of(cls, settings: ListenerSettings, services: ListenerServices) -> Terms:
        """Take them from the settings."""
        return cls(services, _entity(settings), _contexts(settings))


def _entity(settings: ListenerSettings) -> AE:
    entity = AE(ae_title=settings.ae_title)
    entity.maximum_pdu_size = settings.max_pdu_bytes
    entity.acse_timeout = settings.acse_timeout_s
    entity.dimse_timeout = settings.dimse_timeout_s
    entity.network_timeout = settings.network_timeout_s
    entity.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    return entity


def _contexts(settings: ListenerSettings) -> list[PresentationContext]:
    """Verification, reports on storage commitment, and every storage class with every syntax."""
    classes = dict.fromkeys(
        (*KEPT_CLASSES, *settings.extra_sop_classes, *settings.dropped_sop_classes)
    )
    storage = [build_context(uid, list(TRANSFER_SYNTAXES)) for uid in classes]
    reports = build_context(PUSH_MODEL)
    # Whoever reports is the provider of the service (PS3.7, D.3.3.4).
    reports.scu_role = reports.scp_role = True
    return [build_context(VERIFICATION), reports, *storage]
