from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from app.errors import DiskFullError, SpoolError
from app.node.archive.disk import DiskReserve
from app.node.archive.incoming import HEAD_BYTES, IncomingFile

if TYPE_CHECKING:
    from pathlib import Path


def begin(folder: Path, free: int = 10**12) -> IncomingFile:
    return IncomingFile(folder, b"prefix", DiskReserve(folder, 1, free=lambda _folder: free))


def test_only_the_first_mebibyte_is_kept_in_memory(tmp_path: Path) -> None:
    incoming = begin(tmp_path)
    for _ in range(5):
        incoming.write(bytes(HEAD_BYTES // 2))
    assert len(incoming.head) == HEAD_BYTES
    assert incoming.size_bytes == len(b"prefix") + 5 * HEAD_BYTES // 2
    incoming.finish(tmp_path / "final")
    assert (tmp_path / "final").stat().st_size == incoming.size_bytes
    assert len(incoming.head) == 0


def test_below_the_reserve_the_sender_is_heard_out_and_nothing_is_written(tmp_path: Path) -> None:
    incoming = begin(tmp_path, free=999_999)
    incoming.write(bytes(1000))
    assert incoming.data_bytes == 1000
    with pytest.raises(DiskFullError):
        incoming.finish(tmp_path / "final")
    incoming.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_large_object_stops_growing_when_the_reserve_is_reached(tmp_path: Path) -> None:
    free = [10**12, 0]
    reserve = DiskReserve(tmp_path, 1, free=lambda _folder: free.pop(0))
    incoming = IncomingFile(tmp_path, b"", reserve)
    for _ in range(80):
        incoming.write(bytes(1 << 20))
    assert incoming.path.stat().st_size <= 65 << 20
    incoming.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_spool_error_with_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    incoming = begin(tmp_path)
    incoming.write(b"x")

    def refuse(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("app.node.archive.incoming.os.fsync", refuse)
    with pytest.raises(SpoolError) as caught:
        incoming.finish(tmp_path / "final")
    assert isinstance(caught.value.__cause__, OSError)
    monkeypatch.undo()
    incoming.discard()


def test_a_folder_that_is_gone_is_a_spool_error_at_the_end(tmp_path: Path) -> None:
    incoming = IncomingFile(
        tmp_path / "absent", b"", DiskReserve(tmp_path, 0, free=lambda _folder: 1)
    )
    incoming.write(b"x")
    with pytest.raises(SpoolError):
        incoming.finish(tmp_path / "final")


def test_a_finished_file_survives_a_discard(tmp_path: Path) -> None:
    incoming = begin(tmp_path)
    incoming.finish(tmp_path / "final")
    incoming.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["final"]
