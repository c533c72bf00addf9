"""List of contents (CycloneDX) of the wheel and the bundle: what is shipped, nothing else.

A generator lists a whole environment, with the tools of development in it; `shipped_contents`
keeps what the requirements bring (`image_packages`).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.deploy.image_packages import needed_packages, normalised, project_wishes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def shipped_contents(listed: Mapping[str, Any], shipped: Collection[str]) -> dict[str, Any]:
    """Part of a list of contents.

    Parameters
    ----------
    listed : mapping
        CycloneDX document of an environment (1.5 or later, JSON).
    shipped : collection of str
        Normalised names of the packages to keep.

    Returns
    -------
    dict
        The document with these components alone, and the dependencies among them and of the
        application itself.
    """
    kept = [part for part in listed["components"] if normalised(part["name"]) in shipped]
    refs = {part["bom-ref"] for part in kept} | {listed["metadata"]["component"]["bom-ref"]}
    dependencies = [
        {**line, "dependsOn": [ref for ref in line["dependsOn"] if ref in refs]}
        if "dependsOn" in line
        else line
        for line in listed["dependencies"]
        if line["ref"] in refs
    ]
    return {**listed, "components": kept, "dependencies": dependencies}


def main() -> None:
    """Reduce a list of contents, in place, to what is shipped."""
    parser = argparse.ArgumentParser(prog="contents", description=main.__doc__)
    parser.add_argument("pyproject", type=Path)
    parser.add_argument("document", type=Path)
    chosen = parser.parse_args()
    shipped = needed_packages(project_wishes(chosen.pyproject))
    document = shipped_contents(json.loads(chosen.document.read_text()), shipped)
    chosen.document.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
