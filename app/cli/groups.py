"""Headings under which ``--help`` lists the commands."""

from __future__ import annotations

from typing import Final

STUDY: Final = "One study"
NODE: Final = "The PACS node"
RESEARCH: Final = "Research"
INSTALLATION: Final = "This installation"
