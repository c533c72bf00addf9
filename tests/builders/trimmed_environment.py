"""A Python environment that holds only the packages of the image, made of links in a second.

What `app.deploy.image_packages` keeps is linked from the running environment: whole folders where
one package owns them, single files where several share one (``monai`` is both the left-out core
and the kept Deploy SDK).
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from app.deploy.image_packages import needed_packages, normalised, project_wishes

ROOT = Path(__file__).resolve().parents[2]
SITE = Path(sysconfig.get_path("purelib"))


def make_trimmed_environment(folder: Path) -> Path:
    """Make the environment in `folder`; answers its Python, which also finds the repository."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python3"
    asked = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    site = Path(asked.stdout.strip())
    kept = needed_packages(project_wishes(ROOT / "pyproject.toml"))
    owners: dict[str, set[str]] = defaultdict(set)
    files: dict[str, list[Path]] = defaultdict(list)
    for package in distributions():
        name = normalised(package.name)
        for file in _files(package):
            owners[file.parts[0]].add(name)
            if name in kept:
                files[file.parts[0]].append(file)
    for top, found in files.items():
        if owners[top] <= kept.keys():
            (site / top).symlink_to(SITE / top)
        else:
            for file in found:
                link = site / file
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(SITE / file)
    (site / "repository.pth").write_text(f"{ROOT}\n")
    return python


def _files(package: Distribution) -> Iterator[Path]:
    """Files below site-packages, as relative paths."""
    for file in package.files or ():
        path = Path(str(file))
        if ".." not in path.parts and (SITE / path).is_file():
            yield path
