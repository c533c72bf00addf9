"""Whether the licences of the packages that are shipped allow to ship them.

``make audit`` runs this on the packages of the image and the bundle (`image_packages`) and of
training. A package says its licence in one of three fields of its core metadata: an SPDX
expression (PEP 639), a free text, a trove classifier; the first usable one counts.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.deploy.image_packages import needed_packages, normalised

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALLOWED: Final = re.compile(
    r"MIT|BSD|0BSD|ISC|Apache|PSF|Python Software Foundation|Zlib|ZPL|Zope|BSL-1\.0|CC0|MPL|Mozilla"
    r"|Unlicense|Public Domain|HPND|LGPL|Lesser General Public License",
    re.IGNORECASE,
)
"""Permissive, or weak copyleft of libraries that stay files of their own here (LGPL, MPL)."""

FORBIDDEN: Final = re.compile(
    r"(?<![A-Za-z])A?GPL|(?<!Lesser )General Public License|SSPL|Server Side Public"
    r"|non-?commercial|CC-BY-NC",
    re.IGNORECASE,
)
"""Copyleft that would reach this program, and use that is not free."""

REVIEWED: Final[dict[str, str]] = {
    "nvidia-cuda-runtime": "its EULA allows to pass it on inside an application; holoscan loads it",
}
"""Package whose metadata does not decide -> what its licence text says, and why it is shipped."""

_LONGEST_NAME: Final = 100
"""Characters; a longer or a broken text is the licence itself, not its name."""


@dataclass(frozen=True, slots=True)
class Licence:
    """What one package says about its licence.

    Parameters
    ----------
    package, version : str
        As in its metadata, the name normalised (PEP 503).
    text : str
        Licence as the package names it, "" where it does not.
    """

    package: str
    version: str
    text: str

    @property
    def objection(self) -> str:
        """Why the package must not be shipped unseen; "" where it may be."""
        if self.package in REVIEWED:
            return ""
        # "A OR B" leaves the choice to the user; of "A AND B" both hold.
        choices = [re.split(r"\s+AND\s+", choice) for choice in re.split(r"\s+OR\s+", self.text)]
        if all(any(FORBIDDEN.search(part) for part in choice) for choice in choices):
            return f"forbidden: {self.text}"
        if any(all(ALLOWED.search(part) for part in choice) for choice in choices):
            return ""
        return f"unknown: {self.text or 'no licence named'}"


def licence_of(package: Distribution) -> Licence:
    """Licence of an installed package.

    Parameters
    ----------
    package : Distribution
        With core metadata of any version.

    Returns
    -------
    Licence
        By expression (``License-Expression``), else name (``License``), else classifiers.
    """
    metadata = package.metadata
    name = metadata["License"] if "License" in metadata else ""  # noqa: SIM401 - not a mapping
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier", [])
        if line.startswith("License :: ")
    ]
    expression = metadata["License-Expression"] if "License-Expression" in metadata else ""  # noqa: SIM401
    is_name = len(name) <= _LONGEST_NAME and "\n" not in name
    text = (
        expression
        or (name if is_name and name != "UNKNOWN" else "")
        or "; ".join(classifiers)
        or name.strip().partition("\n")[0]
    )
    return Licence(normalised(package.name), package.version, text)


def shipped_licences(wishes: Iterable[str], installed: Mapping[str, Distribution]) -> list[Licence]:
    """Licences of every package that the requirements bring.

    Parameters
    ----------
    wishes : iterable of str
        Requirements, as in ``pyproject.toml``.
    installed : mapping
        Normalised name -> installed package.

    Returns
    -------
    list of Licence
        Sorted by package.
    """
    return [licence_of(installed[name]) for name in needed_packages(wishes, installed.values())]


def main(arguments: list[str]) -> int:
    """Print package, version and licence of all that is shipped; 1 if one must not be."""
    parser = argparse.ArgumentParser(prog="licences", description=main.__doc__)
    parser.add_argument("pyproject", type=Path)
    chosen = parser.parse_args(arguments)
    with chosen.pyproject.open("rb") as file:
        project = tomllib.load(file)["project"]
    extras = project["optional-dependencies"]
    wishes = [
        *project["dependencies"],
        *(line for key in extras if key != "dev" for line in extras[key]),
    ]
    installed = {normalised(package.name): package for package in distributions()}
    found = shipped_licences(wishes, installed)
    objections = [(licence, licence.objection) for licence in found if licence.objection]
    for licence in found:
        sys.stdout.write(f"{licence.package:32} {licence.version:14} {licence.text}\n")
    for licence, objection in objections:
        sys.stderr.write(f"{licence.package} {licence.version}: {objection}\n")
    return 1 if objections else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
