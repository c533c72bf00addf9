"""Which destinations get the results of a series, and which of them.

Who sent the series, and to which AE title, decides the first; the destination's settings decide
the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from operators.dicom.identity.result_kinds import DELIVERED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.node.journal.runs import ResultFile
    from app.settings import NodeSettings


def destinations_of(
    node: NodeSettings, calling_ae_title: str, called_ae_title: str
) -> tuple[str, ...]:
    """Destinations of a series' results.

    Parameters
    ----------
    node : NodeSettings
        Its routes; the first that matches decides.
    calling_ae_title, called_ae_title : str
        Of the association the series came by.

    Returns
    -------
    tuple of str
        Names of peers, each once; empty where no route matches: results stay on the node.
    """
    route = node.route_of(calling_ae_title.strip(), called_ae_title.strip())
    return tuple(dict.fromkeys(route.destinations))


def objects_for(node: NodeSettings, destination: str, files: Sequence[ResultFile]) -> list[str]:
    """Objects of a job that a destination is sent.

    Parameters
    ----------
    node : NodeSettings
        Its peers say which results they get.
    destination : str
        Name of a peer.
    files : sequence of ResultFile
        What the job made.

    Returns
    -------
    list of str
        SOP Instance UIDs.
    """
    peer = node.peer(destination)
    groups = DELIVERED if peer is None else peer.sent_objects
    return [file.sop_instance_uid for file in files if file.kind in groups]
