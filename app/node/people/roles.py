"""Roles: what a person may do; each may also do what the ones before it may."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from app.node.journal.audit import Actor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Role(StrEnum):
    """From the least to the most."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"

    def covers(self, needed: Role) -> bool:
        """Whether this role is enough.

        Examples
        --------
        >>> Role.OPERATOR.covers(Role.VIEWER), Role.VIEWER.covers(Role.OPERATOR)
        (True, False)
        """
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who asks.

    Attributes
    ----------
    name : str
        For the audit trail.
    role : Role
        What it may do.
    way : str
        How it showed who it is: ``local``, ``proxy``, ``password``, ``openid``, ``token``.
    address : str
        Where the request came from.
    """

    name: str
    role: Role
    way: str
    address: str = ""

    @property
    def actor(self) -> Actor:
        """As the audit trail names it."""
        return Actor(name=self.name, role=str(self.role), address=self.address)


def highest_role(groups: Iterable[str], roles: Mapping[str, str]) -> Role | None:
    """Role that the groups of a person give.

    Parameters
    ----------
    groups : iterable of str
        As proxy or provider say them.
    roles : mapping
        Group -> role, of the settings.

    Returns
    -------
    Role or None
        None: none of the groups has one.

    Examples
    --------
    >>> highest_role(["physics", "staff"], {"staff": "viewer", "physics": "operator"})
    <Role.OPERATOR: 'operator'>
    >>> highest_role(["guests"], {"staff": "viewer"}) is None
    True
    """
    given = {Role(roles[group]) for group in groups if group in roles}
    return max(given, key=list(Role).index, default=None)
