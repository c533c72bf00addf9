"""Which installed packages the image and the offline bundle leave out, and why.

Dependencies of dependencies bring 1 GB that nothing here ever loads. The wish list of the project
is followed as pip follows it, except into `LEFT_OUT`; what is then reached by nobody is not packed.
``tests/integration/test_deploy_packages.py`` runs the product without these packages.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROJECT: Final = "spine-node"
EXTRA: Final = "node"

LEFT_OUT: Final[dict[str, str]] = {
    "cupy-cuda13x": "GPU arrays between Holoscan operators; ours pass NumPy arrays",
    "holoscan-cli": "packages applications; the Dockerfile does that here",
    "monai": "training only; where it is installed the SDK imports all of it at every start",
    "nnunetv2": "training only; the pipeline reads its model format itself",
    "openvino-telemetry": "reports every import of OpenVINO to a server; it runs without",
    "timm": "transformer networks of dynamic-network-architectures; ours are U-Nets",
    "torchvision": "pulled in by timm",
    "triton": "compiler behind torch.compile, which is not used",
    "aiohttp": "tritonclient's asynchronous half",
    "cuda-python": "tritonclient's shared GPU memory",
    "perf-analyzer": "load generator of tritonclient",
}
"""Distribution name -> why the product runs without it."""


def normalised(name: str) -> str:
    """Distribution name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def needed_packages(
    wishes: Iterable[str],
    installed: Iterable[Distribution] | None = None,
    left_out: Iterable[str] = LEFT_OUT,
) -> dict[str, str]:
    """Name and version of every package that is kept.

    Parameters
    ----------
    wishes : iterable of str
        Requirements of the project, as in ``pyproject.toml``.
    installed : iterable of Distribution, optional
        What is installed; default: what this interpreter finds.
    left_out : iterable of str
        Packages that are not followed.

    Returns
    -------
    dict
        Normalised name -> version, sorted by name. A wish that is not installed is not kept.
    """
    by_name = _by_name(installed)
    skipped = {normalised(name) for name in left_out}
    waiting = list(_applicable(wishes, frozenset()))
    followed: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        item = waiting.pop()
        name, extras = item
        if item in followed or name in skipped or name not in by_name:
            continue
        followed.add(item)
        waiting.extend(_applicable(by_name[name].requires or (), extras))
    return {name: by_name[name].version for name in sorted({name for name, _ in followed})}


def unneeded_packages(
    wishes: Iterable[str], installed: Iterable[Distribution] | None = None
) -> list[str]:
    """Names of the installed packages that are not kept, sorted.

    Parameters
    ----------
    wishes : iterable of str
        Requirements of the project.
    installed : iterable of Distribution, optional
        What is installed; default: what this interpreter finds.

    Returns
    -------
    list of str
        Normalised names.
    """
    by_name = _by_name(installed)
    return sorted(by_name.keys() - needed_packages(wishes, by_name.values()).keys())


def project_wishes(pyproject: Path) -> list[str]:
    """Read the requirements of a ``pyproject.toml``; of the optional ones those of a node."""
    with pyproject.open("rb") as file:
        project = tomllib.load(file)["project"]
    return [*project["dependencies"], *project["optional-dependencies"][EXTRA]]


def _by_name(installed: Iterable[Distribution] | None) -> dict[str, Distribution]:
    found = distributions() if installed is None else installed
    return {normalised(package.name): package for package in found}


def _applicable(
    lines: Iterable[str], extras: frozenset[str]
) -> Iterator[tuple[str, frozenset[str]]]:
    for line in lines:
        wish = Requirement(line)
        marker = wish.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            yield normalised(wish.name), frozenset(wish.extras)


def main(arguments: list[str]) -> None:
    """Write the kept packages as ``name==version`` lines, or the names of the unneeded ones."""
    parser = argparse.ArgumentParser(prog="image_packages", description=main.__doc__)
    parser.add_argument("pyproject", type=Path)
    parser.add_argument("--unneeded", action="store_true")
    chosen = parser.parse_args(arguments)
    wishes = project_wishes(chosen.pyproject)
    if chosen.unneeded:
        lines = [name for name in unneeded_packages(wishes) if name != PROJECT]
    else:
        lines = [f"{name}=={version}" for name, version in needed_packages(wishes).items()]
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main(sys.argv[1:])
