from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from app.errors import DiskFullError
from app.node.archive.disk import DiskReserve, free_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from app.node.telemetry.events import Event


def test_the_reserve_is_told_once_when_reached_and_once_when_left(tmp_path: Path) -> None:
    told: list[tuple[int, object]] = []

    def emit(event: Event, **values: object) -> None:
        told.append((event.number, values["free_mb"]))

    free = iter([5_000_000, 1_999_999, 1_000_000, 2_000_000, 9_000_000])
    reserve = DiskReserve(tmp_path, 2, emit=emit, free=lambda _folder: next(free))
    reserve.check()
    for _ in range(2):
        with pytest.raises(DiskFullError):
            reserve.check()
    reserve.check()
    reserve.check()
    assert told == [(202, 1), (203, 2)]


def test_free_space_agrees_with_the_system(tmp_path: Path) -> None:
    assert abs(free_bytes(tmp_path) - shutil.disk_usage(tmp_path).free) < 1e9
