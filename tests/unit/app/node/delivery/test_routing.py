"""Where results go follows from who sent the images, and to which AE title."""

from __future__ import annotations

import pytest

from app.node.delivery.routing import destinations_of, objects_for
from app.node.journal.runs import ResultFile
from app.settings import NodeSettings
from app.settings.peers import DimsePeerSettings

NODE = NodeSettings.model_validate(
    {
        "peers": [
            {"name": name, "ae_title": name.upper(), "host": "127.0.0.1", "port": 104}
            for name in ("pacs", "archive", "study")
        ],
        "routes": [
            {"calling_ae_title": "MR1", "called_ae_title": "TRIAL", "destinations": ["study"]},
            {"calling_ae_title": "MR1", "destinations": ["pacs", "archive", "pacs"]},
            {"called_ae_title": "SILENT", "destinations": []},
            {"calling_ae_title": "MR2", "destinations": ["archive"]},
        ],
    }
)


@pytest.mark.parametrize(
    ("calling", "called", "destinations"),
    [
        ("MR1", "TRIAL", ("study",)),
        ("MR1", "SPINENODE", ("pacs", "archive")),
        ("MR1 ", " SPINENODE", ("pacs", "archive")),
        ("MR2", "SILENT", ()),
        ("MR2", "SPINENODE", ("archive",)),
        ("MR3", "SPINENODE", ()),
    ],
)
def test_the_first_route_that_matches_decides(
    calling: str, called: str, destinations: tuple[str, ...]
) -> None:
    assert destinations_of(NODE, calling, called) == destinations


def a_file(kind: str, uid: str) -> ResultFile:
    return ResultFile(name=uid, kind=kind, path=uid, digest="", size_bytes=1, sop_instance_uid=uid)


@pytest.mark.parametrize(
    ("objects", "sent"),
    [
        (None, ["2.25.1", "2.25.2", "2.25.3"]),
        (["segmentation"], ["2.25.1", "2.25.2"]),
        (["report"], ["2.25.3"]),
    ],
)
def test_a_destination_is_sent_what_its_settings_say(
    objects: list[str] | None, sent: list[str]
) -> None:
    peer = NODE.peers[0].model_copy(update={"objects": objects})
    node = NODE.model_copy(update={"peers": [peer]})
    files = [
        a_file("segmentation", "2.25.1"),
        a_file("segmentation", "2.25.2"),
        a_file("report", "2.25.3"),
        a_file("overlay", ""),
    ]
    assert objects_for(node, "pacs", files) == sent


def test_segmentations_are_required_and_whatever_else_is_named() -> None:
    peer = NODE.peers[0]
    assert peer.required_objects == {"segmentation"}
    named = DimsePeerSettings.model_validate({**peer.model_dump(), "objects": ["report"]})
    assert (named.required_objects, named.sent_objects) == ({"report"}, ("report",))
    for wrong in ([], ["poem"], ["overlay"]):
        with pytest.raises(ValueError, match="objects"):
            DimsePeerSettings.model_validate({**peer.model_dump(), "objects": wrong})
