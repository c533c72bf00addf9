"""Which model folders exist and what is in them. How new ones come in: `app.model_install`.

The registry is ``registry.yaml`` in the models folder: one entry per model with kind, version,
licence, provenance and the SHA-256 of every file. Nothing here loads torch or a network.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from app.settings import model_places
from operators.errors import ModelUnusableError

if TYPE_CHECKING:
    from collections.abc import Iterable

REGISTRY_FILE: Final = "registry.yaml"
CONFIG_FILE: Final = "inference_config.json"
_CHUNK_BYTES: Final = 1 << 20


ModelKind = Literal["semantic", "instance", "labelling"]


class RegisteredModel(BaseModel):
    """One entry of the registry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ModelKind
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
        The models folder; further ones are `app.settings.model_places`.
    name_or_path : str
        A name with a folder in one of them, or the path of a model folder.

    Returns
    -------
    Path
        Existing folder; registered files have been compared with their digests.

    Raises
    ------
    ModelUnusableError
        If there is no such folder, or a registered file is missing or changed.
    """
    places = model_places(directory)
    if _is_plain_name(name_or_path):
        for place in places:
            if (place / name_or_path).is_dir():
                return _as_registered(place, name_or_path)
    folder = Path(name_or_path)
    if folder.is_dir():
        return folder.resolve()
    known = ", ".join(sorted(models_in(places))) or "none"
    looked_in = ", ".join(map(str, places))
    message = f"no model '{name_or_path}'; registered: {known}; looked in {looked_in}"
    raise ModelUnusableError(message, reasons=("unknown_model",))


def models_in(places: Iterable[Path]) -> dict[str, RegisteredModel]:
    """Entries of several models folders by name; of two of one name the first counts."""
    models: dict[str, RegisteredModel] = {}
    for place in places:
        models = read_registry(place).models | models
    return models


def _as_registered(place: Path, name: str) -> Path:
    problems = verify_model(place, name)
    if problems:
        message = f"model '{name}' in {place}: {'; '.join(problems)}"
        raise ModelUnusableError(message, reasons=("digest_mismatch",))
    return (place / name).resolve()


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


def kind_of(model: Path) -> ModelKind:
    """Kind of a model folder, from its ``inference_config.json``.

    Raises
    ------
    ModelUnusableError
        If there is no readable configuration.
    """
    try:
        config = json.loads(next(model.rglob(f"*{CONFIG_FILE}")).read_text(encoding="utf-8"))
        modality = config.get("modality", [])
        named = [modality] if isinstance(modality, str) else list(modality)
    except (StopIteration, OSError, ValueError, TypeError, AttributeError) as error:
        message = f"{CONFIG_FILE} is missing or not readable"
        raise ModelUnusableError(message, reasons=("config_unreadable",)) from error
    if config.get("modeltype") == "classifier":
        return "labelling"
    return "instance" if "SEG" in named else "semantic"
