"""Which model folders exist, what is in them, and how new ones come in.

The registry is ``registry.yaml`` in the models folder: one entry per model with kind, version,
licence, provenance and the SHA-256 of every file. Nothing here loads torch or a network.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from operators.errors import ModelUnusableError

REGISTRY_FILE: Final = "registry.yaml"
CONFIG_FILE: Final = "inference_config.json"
_CHUNK_BYTES: Final = 1 << 20
_MAX_UNPACKED_BYTES: Final = 8 << 30
"""Published model zips unpack to less than 1 GB; 8 GB stops a zip bomb, not a model."""


class RegisteredModel(BaseModel):
    """One entry of the registry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["semantic", "instance"]
    version: str
    licence: str
    provenance: str
    intended_use: str = "research use only, not for diagnosis"
    files: dict[str, str]


class Registry(BaseModel):
    """The whole of registry.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    models: dict[str, RegisteredModel] = {}


def read_registry(directory: Path) -> Registry:
    """Read ``registry.yaml`` of a models folder; a folder without one has no entries.

    Raises
    ------
    ModelUnusableError
        If the file cannot be read or does not follow the schema.
    """
    file = directory / REGISTRY_FILE
    if not file.is_file():
        return Registry()
    try:
        return Registry.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        message = f"{REGISTRY_FILE} cannot be used: {error}"
        raise ModelUnusableError(message, reasons=("bad_registry",)) from error


def find_model(directory: Path, name_or_path: str) -> Path:
    """Folder of a model, by registry name or by path.

    Parameters
    ----------
    directory : Path
        The models folder.
    name_or_path : str
        A name with a folder in ``directory``, or the path of a model folder.

    Returns
    -------
    Path
        Existing folder; registered files have been compared with their digests.

    Raises
    ------
    ModelUnusableError
        If there is no such folder, or a registered file is missing or changed.
    """
    is_name = _is_plain_name(name_or_path)
    named = directory / name_or_path
    folder = named if is_name and named.is_dir() else Path(name_or_path)
    if not folder.is_dir():
        known = ", ".join(sorted(read_registry(directory).models)) or "none"
        raise ModelUnusableError(
            f"no model '{name_or_path}'; registered: {known}", reasons=("unknown_model",)
        )
    if is_name and folder == named:
        problems = verify_model(directory, name_or_path)
        if problems:
            raise ModelUnusableError(
                f"model '{name_or_path}': {'; '.join(problems)}", reasons=("digest_mismatch",)
            )
    return folder.resolve()


def _is_plain_name(name: str) -> bool:
    return PurePosixPath(name).name == name != "" and not name.startswith(".")


def require_plain_name(name: str) -> None:
    """Refuse a model name that is no folder of the models folder.

    Raises
    ------
    ModelUnusableError
        ``bad_name``.
    """
    if not _is_plain_name(name):
        raise ModelUnusableError("a model's name is a plain folder name", reasons=("bad_name",))


def verify_model(directory: Path, name: str) -> list[str]:
    """Compare a model's files with the registry.

    Returns
    -------
    list of str
        One sentence per problem; empty if every file is as registered. A model without an
        entry has one problem: it is not registered.
    """
    entry = read_registry(directory).models.get(name)
    if entry is None:
        return [f"not registered in {REGISTRY_FILE}"]
    problems = []
    for relative, digest in sorted(entry.files.items()):
        file = directory / name / relative
        if not file.is_file():
            problems.append(f"{relative} is missing")
        elif sha256_of(file) != digest:
            problems.append(f"{relative} was changed")
    return problems


def sha256_of(file: Path) -> str:
    """SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def files_of(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a model, by its path in the folder; the model card left out."""
    return {
        file.relative_to(folder).as_posix(): sha256_of(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != "MODEL_CARD.md"
    }


def folder_digest(folder: Path) -> str:
    """SHA-256 over all files of a model folder and their names, hexadecimal."""
    digest = hashlib.sha256()
    for name, sha256 in files_of(folder).items():
        digest.update(f"{sha256}  {name}\n".encode())
    return digest.hexdigest()


def register_model(directory: Path, name: str, entry: RegisteredModel) -> None:
    """Write one entry into ``registry.yaml``, in one move.

    ``entry.files`` is computed here from the folder ``directory/name``.
    """
    files = files_of(directory / name)
    models = dict(read_registry(directory).models)
    models[name] = entry.model_copy(update={"files": files})
    document = Registry(models=dict(sorted(models.items()))).model_dump()
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    part = directory / f".{REGISTRY_FILE}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(directory / REGISTRY_FILE)


def install_zip(archive: Path, directory: Path, name: str | None = None) -> str:
    """Unpack a published SPINEPS model zip into the models folder and register it.

    The zip may hold the model at its top level, wrapped in folders, or with the configuration
    deeper; only the part from the configuration's folder on is kept.

    Parameters
    ----------
    archive : Path
        The zip.
    directory : Path
        The models folder.
    name : str, optional
        Name in the registry; default: the zip's own name.

    Returns
    -------
    str
        The registered name.

    Raises
    ------
    ModelUnusableError
        If it is no zip, tries to leave its folder, holds no or several configurations, or a
        model of that name is there already.
    """
    name = name or archive.stem
    target = directory / name
    require_plain_name(name)
    if target.exists():
        message = f"a model '{name}' is installed already; choose another --name"
        raise ModelUnusableError(message, reasons=("already_installed",))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".install-") as scratch:
            _unpack(archive, Path(scratch))
            model = _model_root(Path(scratch))
            kind = kind_of(model)
            shutil.move(model, target)
    except OSError as error:
        message = f"the models folder cannot be written: {error.strerror}"
        raise ModelUnusableError(message, reasons=("unwritable",)) from error
    entry = RegisteredModel(
        kind=kind,
        version="as published",
        licence="not stated in the archive: ask its authors before clinical or commercial use",
        provenance=f"installed from {archive.name}, SHA-256 {sha256_of(archive)}",
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
    except (zipfile.BadZipFile, OSError) as error:
        message = "the archive is not a readable zip"
        raise ModelUnusableError(message, reasons=("bad_zip",)) from error


def _refuse_escape(member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    is_link = stat.S_ISLNK(member.external_attr >> 16)
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0] or is_link:
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


def kind_of(model: Path) -> Literal["semantic", "instance"]:
    """Kind of a model folder, from its ``inference_config.json``.

    Raises
    ------
    ModelUnusableError
        If there is no readable configuration, or it describes a labelling model.
    """
    try:
        config = json.loads(next(model.rglob(f"*{CONFIG_FILE}")).read_text(encoding="utf-8"))
        modality = config.get("modality", [])
        named = [modality] if isinstance(modality, str) else list(modality)
    except (StopIteration, OSError, ValueError, TypeError, AttributeError) as error:
        message = f"{CONFIG_FILE} is missing or not readable"
        raise ModelUnusableError(message, reasons=("config_unreadable",)) from error
    if config.get("modeltype") == "classifier":
        message = "labelling models are not used by this version"
        raise ModelUnusableError(message, reasons=("unsupported_model_kind",))
    return "instance" if "SEG" in named else "semantic"
