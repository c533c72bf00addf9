"""The storage SOP classes of MR images (PS3.4 B.5)."""

from __future__ import annotations

from typing import Final

MR_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.4"

MR_IMAGE_CLASSES: Final = frozenset(
    {
        MR_IMAGE,
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR Image
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR Image
    },
)
"""What can be segmented; objects of all other classes are kept and never trigger."""
