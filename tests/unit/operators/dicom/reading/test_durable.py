import os
from pathlib import Path

import pytest

from operators.dicom.reading.durable import sync


def test_the_file_or_folder_itself_is_synchronised_and_closed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "a"
    file.write_bytes(b"x")
    seen, fsync = [], os.fsync

    def watched(descriptor: int) -> None:
        seen.append(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    before = len(list(Path("/proc/self/fd").iterdir()))
    sync(file)
    sync(tmp_path)
    assert seen == [file.stat().st_ino, tmp_path.stat().st_ino]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_what_the_disk_refuses_is_told_and_nothing_stays_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuses(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuses)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="Input/output"):
        sync(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "absent")
