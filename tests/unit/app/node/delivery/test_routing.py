"""Where results go follows from who sent the images, and to which AE title."""

from __future__ import annotations

import pytest

from app.node.delivery.routing import destinations_of
from app.settings import NodeSettings

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
