"""What a conversation says about a peer, whatever it said about the objects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class PeerCondition(Enum):
    """What a conversation says about the peer, whatever it said about the objects."""

    WORKS = auto()
    UNKNOWN = auto()
    """Nothing was asked of it."""
    REFUSES = auto()
    """It answered, but took none of these objects; others may pass."""
    UNANSWERED = auto()
    """Its queries fail, or it fails at objects that it need not take; it may still take others."""
    FAILS = auto()
    """No connection, no answer, out of order: nothing passes now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How a conversation ended; `error` names what failed, also where other things worked."""

    condition: PeerCondition
    error: str = ""
