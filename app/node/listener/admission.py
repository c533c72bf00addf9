"""Who is let in: AE titles, networks, and limits that count only established associations."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from app.settings import ListenerSettings


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an association is rejected, as an A-ASSOCIATE-RJ says it (DICOM PS3.8, 9.3.4).

    Attributes
    ----------
    result : int
        1 permanent, 2 transient.
    source : int
        1 service user, 3 service provider (presentation).
    diagnostic : int
        Reason, within its source.
    reason : str
        For the log.
    """

    result: int
    source: int
    diagnostic: int
    reason: str


CALLED_UNKNOWN: Final = Refusal(1, 1, 7, "called_ae_title_unknown")
CALLING_UNKNOWN: Final = Refusal(1, 1, 3, "calling_ae_title_unknown")
NETWORK_UNKNOWN: Final = Refusal(1, 1, 3, "network_not_allowed")
"""DICOM has no reason of its own for an address: the sender is not recognised."""
CERTIFICATE_OTHER: Final = Refusal(1, 1, 3, "certificate_of_another")
"""The title belongs to a certificate that the sender has not shown."""
TOO_MANY: Final = Refusal(2, 3, 2, "too_many_associations")
TOO_MANY_OF_PEER: Final = Refusal(2, 3, 2, "too_many_associations_of_peer")


@dataclass(frozen=True, slots=True)
class _Rules:
    """What one version of the settings says."""

    settings: ListenerSettings
    called: frozenset[str]
    calling: frozenset[str]
    bound: dict[str, frozenset[str]]

    @classmethod
    def of(cls, settings: ListenerSettings) -> _Rules:
        called = {title.strip() for title in (settings.ae_title, *settings.also_called)}
        calling = {title.strip() for title in settings.calling_ae_titles}
        titles = {} if settings.tls is None else settings.tls.titles
        bound = {title.strip(): frozenset(names) for title, names in titles.items()}
        return cls(settings, frozenset(called), frozenset(calling), bound)


class Admission:
    """Decides about associations and counts those that were let in.

    Parameters
    ----------
    settings : ListenerSettings
        Titles, networks and limits.
    """

    def __init__(self, settings: ListenerSettings) -> None:
        self._rules = _Rules.of(settings)
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    def renew(self, settings: ListenerSettings) -> None:
        """Decide by new settings; associations that are open stay, and count."""
        self._rules = _Rules.of(settings)

    @property
    def established(self) -> int:
        """Associations that are open now."""
        with self._lock:
            return self._open.total()

    def enter(
        self, *, calling: str, called: str, address: str, names: frozenset[str] = frozenset()
    ) -> Refusal | None:
        """Let an association in, or say why not.

        Parameters
        ----------
        calling, called : str
            AE titles of the request, without padding.
        address : str
            IP address of the peer.
        names : frozenset of str
            Of the certificate that it has shown.

        Returns
        -------
        Refusal or None
            None: it counts from now on, until `leave`.
        """
        peer, rules = _plain(address), self._rules
        refusal = _title_refusal(rules, calling, called, peer) or _certificate_refusal(
            rules, calling, names
        )
        if refusal is not None:
            return refusal
        with self._lock:
            if self._open.total() >= rules.settings.max_associations:
                return TOO_MANY
            if self._open[str(peer)] >= rules.settings.max_associations_per_peer:
                return TOO_MANY_OF_PEER
            self._open[str(peer)] += 1
        return None

    def leave(self, address: str) -> None:
        """End an association that was let in."""
        peer = str(_plain(address))
        with self._lock:
            self._open[peer] -= 1
            # An address that is gone leaves nothing behind.
            self._open += Counter()


def _title_refusal(
    rules: _Rules, calling: str, called: str, peer: IPv4Address | IPv6Address
) -> Refusal | None:
    networks = rules.settings.networks
    if networks and not any(peer in network for network in networks):
        return NETWORK_UNKNOWN
    if called not in rules.called:
        return CALLED_UNKNOWN
    if rules.calling and calling not in rules.calling:
        return CALLING_UNKNOWN
    return None


def _certificate_refusal(rules: _Rules, calling: str, names: frozenset[str]) -> Refusal | None:
    if calling in rules.bound and rules.bound[calling].isdisjoint(names):
        return CERTIFICATE_OTHER
    return None


def _plain(address: str) -> IPv4Address | IPv6Address:
    """IP address without zone; an IPv4 peer of an IPv6 socket counts as IPv4."""
    peer = ip_address(address.partition("%")[0])
    if isinstance(peer, IPv6Address) and peer.ipv4_mapped is not None:
        return peer.ipv4_mapped
    return peer
