"""Data elements as careless writers leave them: bytes under a VR, whatever the dictionary says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from pydicom.dataset import Dataset


def write(dataset: Dataset, keyword: str | int, vr: str, value: bytes) -> None:
    """Put bytes into an element, padded to even length, without looking at them."""
    padded = value + b" " * (len(value) % 2)
    tag = Tag(keyword)
    dataset.pop(tag, None)
    dataset._dict[tag] = RawDataElement(tag, vr, len(padded), padded, 0, False, True)


def edit_files(paths: Iterable[Path], edit: Callable[[Dataset], None]) -> None:
    """Change each file of a series and write it again."""
    for path in paths:
        dataset = pydicom.dcmread(path)
        edit(dataset)
        dataset.save_as(path)
