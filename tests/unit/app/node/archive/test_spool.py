from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pydicom
import pytest

from app.errors import SpoolError
from app.node.archive.disk import DiskReserve
from app.node.archive.spool import Spool, StoredFile
from tests.builders.dicom_sender import data_set_of

if TYPE_CHECKING:
    from pathlib import Path

CLASS, INSTANCE, SYNTAX = "1.2.840.10008.5.1.4.1.1.4", "1.2.3.4", "1.2.840.10008.1.2.1"
DATA = b"\x08\x00\x60\x00CS\x02\x00MR" * 3


def keep(
    spool: Spool, data: bytes = DATA, *, sop: str = INSTANCE, series: str = "1.2"
) -> StoredFile:
    incoming = spool.receive(
        sop_class_uid=CLASS,
        sop_instance_uid=sop,
        transfer_syntax_uid=SYNTAX,
        reserve=DiskReserve(spool.root, 0),
    )
    for start in range(0, len(data), 7):
        incoming.write(data[start : start + 7])
    return spool.keep(incoming, series_uid=series, sop_instance_uid=sop)


def test_a_kept_file_is_part_10_around_the_very_bytes(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    stored = keep(spool)
    path = spool.absolute(stored.path)
    assert data_set_of(path) == DATA
    assert stored.digest == hashlib.sha256(DATA).hexdigest()
    assert stored.size_bytes == path.stat().st_size
    meta = pydicom.filereader.read_file_meta_info(path)
    assert (meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID) == (CLASS, INSTANCE)
    assert meta.TransferSyntaxUID == SYNTAX
    assert list(spool.incoming.iterdir()) == []


def test_the_same_content_twice_is_one_file_and_other_content_a_second_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    first, again, other = keep(spool), keep(spool), keep(spool, DATA + b"\0\0")
    assert first == again
    assert other.path != first.path
    assert len(list((spool.root / "series").rglob("*.dcm"))) == 2
    assert list(spool.incoming.iterdir()) == []


def test_a_file_that_was_damaged_on_the_disk_is_replaced_by_a_repeat(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    path = spool.absolute(keep(spool).path)
    path.write_bytes(b"damaged")
    keep(spool)
    assert data_set_of(path) == DATA


@pytest.mark.parametrize(
    "uid", ["../../../../tmp/x", "/etc/passwd", "1.2\0.3", "a\nb", "\udcff", ""]
)
def test_identifiers_never_become_paths(tmp_path: Path, uid: str) -> None:
    spool = Spool(tmp_path / "spool")
    stored = keep(spool, sop=uid, series=uid)
    assert spool.absolute(stored.path).is_file()
    assert not set(stored.path) - set("abcdef0123456789-/.series dcm")
    assert not [path for path in tmp_path.iterdir() if path.name != "spool"]


def test_bytes_are_synchronised_before_a_name_that_is_taken_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path / "spool")
    final = spool.absolute(keep(spool).path)
    inode = final.stat().st_ino
    seen: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda _handle: seen.append(final.stat().st_ino))
    keep(spool)
    assert seen[0] == inode
    assert final.stat().st_ino != inode


def test_a_path_that_leads_out_of_the_spool_is_refused(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    for path in ("../journal.db", "/etc/passwd", "series/../../x"):
        with pytest.raises(SpoolError):
            spool.absolute(path)


def test_the_sweep_removes_3_left_over_files_and_no_stored_one(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    stored = keep(spool)
    for number in range(3):
        (spool.incoming / f"{number}.part").write_bytes(b"x")
    assert spool.sweep_incoming() == 3
    assert list(spool.incoming.iterdir()) == []
    assert spool.absolute(stored.path).is_file()
