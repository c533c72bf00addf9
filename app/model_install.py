"""How models come into a models folder, whole and registered, and how they go.

Nothing here loads torch or a network; the command that installs loads the model once afterwards.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Final

import yaml

from app.registry import (
    CONFIG_FILE,
    REGISTRY_FILE,
    RegisteredModel,
    Registry,
    kind_of,
    read_registry,
    register_model,
    require_plain_name,
    sha256_of,
)
from app.settings import model_places
from operators.errors import ModelUnusableError

_MAX_UNPACKED_BYTES: Final = 8 << 30
"""Published model zips unpack to less than 1 GB; 8 GB stops a zip bomb, not a model."""

_UNREADABLE: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    RuntimeError,  # encrypted, of an unknown compression, folders nested a thousand deep
    ValueError,  # names that are no text
    LookupError,  # a name without a letter
    OSError,
)
"""What `zipfile` raises on archives that are damaged or unusual."""


def install_model(source: Path, directory: Path, name: str | None = None) -> str:
    """Copy a model into the models folder and register it.

    Parameters
    ----------
    source : Path
        A published SPINEPS model zip, or a model folder, for example one just trained. Either may
        hold the model at its top level, wrapped in folders, or with the configuration deeper; only
        the part from the configuration's folder on is kept.
    directory : Path
        The models folder.
    name : str, optional
        Name in the registry; default: that of the zip or folder.

    Returns
    -------
    str
        The registered name.

    Raises
    ------
    ModelUnusableError
        If it is neither zip nor folder, tries to leave its folder, holds no or several
        configurations, or a model of that name is known already.
    """
    is_folder = source.is_dir()
    name = name or (source.resolve().name if is_folder else source.stem)
    require_plain_name(name)
    if any((place / name).exists() for place in model_places(directory)):
        message = f"a model '{name}' is installed already; choose another --name"
        raise ModelUnusableError(message, reasons=("already_installed",))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".install-") as scratch:
            if is_folder:
                shutil.copytree(source, Path(scratch) / name)
            else:
                _unpack(source, Path(scratch))
            model = _model_root(Path(scratch))
            kind = kind_of(model)
            shutil.move(model, directory / name)
    except OSError as error:
        message = f"the models folder {directory} cannot be written: {error.strerror}"
        raise ModelUnusableError(message, reasons=("unwritable",)) from error
    told = "a folder" if is_folder else f"{source.name}, SHA-256 {sha256_of(source)}"
    entry = RegisteredModel(
        kind=kind,
        version="as given" if is_folder else "as published",
        licence="not stated: ask its authors before clinical or commercial use",
        provenance=f"installed from {told}",
        files={},
    )
    register_model(directory, name, entry)
    return name


def remove_model(directory: Path, name: str) -> None:
    """Take a model out of the folder and the registry, for example one that did not load."""
    shutil.rmtree(directory / name, ignore_errors=True)
    models = {key: value for key, value in read_registry(directory).models.items() if key != name}
    text = yaml.safe_dump(Registry(models=models).model_dump(), sort_keys=False)
    (directory / REGISTRY_FILE).write_text(text, encoding="utf-8")


def _unpack(archive: Path, scratch: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as package:
            members = package.infolist()
            if sum(member.file_size for member in members) > _MAX_UNPACKED_BYTES:
                raise ModelUnusableError("the archive is too large", reasons=("zip_too_large",))
            for member in members:
                _refuse_escape(member)
            package.extractall(scratch)
    except _UNREADABLE as error:
        message = "the archive is not a readable zip"
        raise ModelUnusableError(message, reasons=("bad_zip",)) from error


def _refuse_escape(member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    leaves = path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1])
    if leaves or is_link:
        message = "the archive holds a path that leaves its folder"
        raise ModelUnusableError(message, reasons=("zip_slip",))


def _model_root(scratch: Path) -> Path:
    configs = sorted(scratch.rglob(f"*{CONFIG_FILE}"))
    if len(configs) != 1:
        message = f"the archive holds {len(configs)} files named {CONFIG_FILE}, not one"
        raise ModelUnusableError(message, reasons=("no_single_config",))
    folder = configs[0].parent
    if folder == scratch:
        # The temporary folder itself cannot be moved away from under its owner.
        inner = Path(tempfile.mkdtemp(dir=scratch))
        for child in list(scratch.iterdir()):
            if child != inner:
                shutil.move(child, inner / child.name)
        inner.chmod(0o755)
        return inner
    return folder
