"""Which destinations get the results of a series: decided by who sent it, and to which AE title."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
