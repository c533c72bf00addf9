"""What C-STORE proposes, and how many associations a folder needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.node.peers.store import StorableFile, _contexts, _groups, read_storable
from operators.errors import UnreadableInputError

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
RLE = "1.2.840.10008.1.2.5"
JPEG_2000 = "1.2.840.10008.1.2.4.90"


def file_of(sop_class: str, syntax: str, number: int = 0) -> StorableFile:
    return StorableFile(
        path=Path(f"{number}.dcm"),
        size_bytes=10,
        sop_class_uid=sop_class,
        sop_instance_uid=f"2.25.{number}",
        transfer_syntax_uid=syntax,
    )


@pytest.mark.parametrize(
    ("syntax", "proposed"),
    [
        (EXPLICIT, [EXPLICIT, IMPLICIT]),
        (IMPLICIT, [IMPLICIT]),
        (JPEG_2000, [JPEG_2000]),
        ("1.2.840.10008.1.2.2", ["1.2.840.10008.1.2.2"]),
        ("1.2.840.10008.1.2.1.99", ["1.2.840.10008.1.2.1.99", IMPLICIT]),
        (RLE, [RLE]),
    ],
)
def test_each_syntax_gets_a_context_of_its_own_and_uncompressed_ones_the_default_too(
    syntax: str, proposed: list[str]
) -> None:
    contexts = _contexts([file_of("1.2.3", syntax), file_of("1.2.3", syntax, 1)])
    assert [[str(one) for one in context.transfer_syntax] for context in contexts] == [
        [one] for one in sorted(proposed)
    ]


@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.7"])
def test_a_segmentation_or_a_picture_in_rle_may_also_be_sent_uncompressed(sop_class: str) -> None:
    contexts = _contexts([file_of(sop_class, RLE)])
    assert [[str(one) for one in context.transfer_syntax] for context in contexts] == [
        [IMPLICIT],
        [EXPLICIT],
        [RLE],
    ]


@given(
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from([EXPLICIT, IMPLICIT, JPEG_2000]))),
)
def test_no_association_proposes_more_than_128_contexts_and_no_file_is_lost(
    kinds: list[tuple[int, str]],
) -> None:
    files = [file_of(f"1.2.{kind}", syntax, n) for n, (kind, syntax) in enumerate(kinds)]
    groups = _groups(files)
    assert sorted(f.sop_instance_uid for group in groups for f in group) == sorted(
        f.sop_instance_uid for f in files
    )
    assert all(0 < len(_contexts(group)) <= 128 for group in groups)


def test_files_of_few_kinds_go_in_one_association_in_their_order() -> None:
    files = [file_of(f"1.2.{n % 60}", EXPLICIT, n) for n in range(500)]
    assert _groups(files) == [files]


def test_files_of_200_kinds_in_two_syntaxes_need_four_associations() -> None:
    files = [file_of(f"1.2.{n}", EXPLICIT, n) for n in range(200)]
    assert [len(group) for group in _groups(files)] == [64, 64, 64, 8]


@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"\0" * 132, b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 9],
)
def test_what_is_no_complete_dicom_file_is_named_without_its_path(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "secret.dcm"
    path.write_bytes(content)
    with pytest.raises(UnreadableInputError) as raised:
        read_storable(path)
    assert "secret" not in str(raised.value)


def test_a_file_that_is_not_there_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInputError):
        read_storable(tmp_path / "absent.dcm")
