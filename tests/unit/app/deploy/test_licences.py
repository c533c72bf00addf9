"""What may be shipped is told from what may not by what each package says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest

from app.deploy.image_packages import normalised
from app.deploy.licences import REVIEWED, Licence, licence_of, main

ROOT = Path(__file__).resolve().parents[4]


@dataclass
class Installed:
    name: str
    metadata: Message
    version: str = "1"


def package(**fields: str | list[str]) -> Any:
    metadata = Message()
    for key, value in fields.items():
        for line in [value] if isinstance(value, str) else value:
            metadata[key.replace("_", "-")] = line
    return Installed("Some_Package", metadata)


@pytest.mark.parametrize(
    ("text", "objection"),
    [
        ("MIT", ""),
        ("LGPL-3.0-only", ""),
        ("GNU Lesser General Public License v3 (LGPLv3)", ""),
        ("MIT OR GPL-3.0-or-later", ""),
        ("Apache-2.0 AND MIT", ""),
        ("GPL-3.0-only", "forbidden: GPL-3.0-only"),
        ("AGPL-3.0-or-later", "forbidden: AGPL-3.0-or-later"),
        ("MIT AND GPL-2.0-only", "forbidden: MIT AND GPL-2.0-only"),
        ("GPL-2.0-only OR AGPL-3.0-only", "forbidden: GPL-2.0-only OR AGPL-3.0-only"),
        (
            "GNU General Public License v2 (GPLv2)",
            "forbidden: GNU General Public License v2 (GPLv2)",
        ),
        ("CC-BY-NC-4.0", "forbidden: CC-BY-NC-4.0"),
        ("MIT AND LicenseRef-House", "unknown: MIT AND LicenseRef-House"),
        ("", "unknown: no licence named"),
    ],
)
def test_a_licence_is_allowed_forbidden_or_unknown(text: str, objection: str) -> None:
    assert Licence("some-package", "1", text).objection == objection


def test_the_expression_counts_before_the_name_and_the_name_before_classifiers() -> None:
    classifiers = ["Programming Language :: Python", "License :: OSI Approved :: BSD License"]
    both = package(License_Expression="ISC", License="MIT", Classifier=classifiers)
    assert licence_of(both) == Licence("some-package", "1", "ISC")
    assert licence_of(package(License="MIT", Classifier=classifiers)).text == "MIT"
    for unusable in ("UNKNOWN", "Copyright\nall rights", "x" * 101):
        assert licence_of(package(License=unusable, Classifier=classifiers)).text == "BSD License"
    assert licence_of(package(License="Apache License\nVersion 2.0")).text == "Apache License"


def test_all_that_is_shipped_may_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(ROOT / "pyproject.toml")]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "psycopg" in told.out


def test_what_was_reviewed_is_installed_and_undecided_by_itself() -> None:
    installed = {normalised(package.name): package for package in distributions()}
    for name in REVIEWED:
        found = licence_of(installed[name])
        assert Licence("another-name", found.version, found.text).objection, name
