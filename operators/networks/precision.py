"""The number formats that networks compute in."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["fp32", "bf16"]

Asked = Precision | Literal["auto"]
"""What a site asks for; each phase has its own "auto"."""


def computes_in_bfloat16(device: str | torch.device) -> bool:
    """Tell whether a device computes in bfloat16; others imitate it, many times slower.

    Parameters
    ----------
    device : str or device
        A torch device.
    """
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())  # noqa: SLF001 - no public question exists
