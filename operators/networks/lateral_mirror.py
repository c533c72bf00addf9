"""Left and right in a network's answer: what a mirror image says about the image itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LateralMirror:
    """How to read the answer to a left/right mirror image.

    Attributes
    ----------
    axis : int
        Spatial axis (0-2) of the network that runs from side to side.
    heads : tuple of int
        For every head the one that means the same on the other side; itself where it has none.
    """

    axis: int
    heads: tuple[int, ...]
