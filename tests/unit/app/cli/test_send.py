"""``spine-node send``: how a peer is written, and what is told."""

from __future__ import annotations

from collections import Counter

import pytest

from app.cli.send import Target, lines_of, parse_ae_title, parse_target
from app.errors import ConfigurationError
from app.node.delivery.batch import Batch, BatchReport


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("PACS@10.0.0.5:104", Target(ae_title="PACS", host="10.0.0.5", port=104)),
        ("MY PACS@pacs.site:11112", Target(ae_title="MY PACS", host="pacs.site", port=11112)),
        ("P@[fe80::1]:65535", Target(ae_title="P", host="fe80::1", port=65535)),
    ],
)
def test_a_peer_is_read_from_its_three_parts(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PACS",
        "PACS@host",
        "host:104",
        "@host:104",
        "PACS@host:0",
        "PACS@host:65536",
        "PACS@:104",
        "A" * 17 + "@host:104",
        "A\\B@host:104",
        " PACS@host:104",
        "PACS@host:x",
    ],
)
def test_anything_else_is_a_usage_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match="AET@HOST:PORT"):
        parse_target(text)


@pytest.mark.parametrize("text", ["", "A" * 17, "A\\B", " A"])
def test_an_ae_title_is_checked(text: str) -> None:
    with pytest.raises(ConfigurationError, match="1 to 16"):
        parse_ae_title(text)


def test_the_lines_tell_counts_and_statuses() -> None:
    report = BatchReport(
        total=20, sent=17, answers=Counter({"0xA700": 2, "0xB000": 1}), failure="the peer broke off"
    )
    assert lines_of(report, Batch(files=(), not_dicom=3), 2.0) == [
        "17 of 20 objects stored (2.0 s, 8/s)",
        "answered 0xA700: 2",
        "answered 0xB000: 1",
        "not DICOM, left out: 3 files",
        "ended early: the peer broke off",
    ]


def test_a_batch_is_complete_only_if_everything_is_stored() -> None:
    assert BatchReport(total=2, sent=2).is_complete
    assert not BatchReport(total=2, sent=1).is_complete
    assert not BatchReport(total=2, sent=2, failure="broke off").is_complete
