"""Label schemes from files: shipped ones, files of their form, nnU-Net's ``dataset.json``."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.research.evaluation.label_schemes import GROUPS, LabelScheme, Numbers, labels_of
from operators.anatomy.labels import Structure
from operators.anatomy.vertebrae import vertebra_of
from operators.errors import ModelUnusableError, UnreadableInputError
from operators.networks.label_names import label_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_HIGHEST: Final = 65535
_RANGE: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_NUMBER_BEHIND: Final = re.compile(r"_\d+$")
"""Of a name that would not be unique without it: ``Sacrum_26``."""


class _Meaning(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    structure: str = ""
    instance: str = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    scheme: str = Field(min_length=1)
    source: str = ""
    numbers: Numbers = "running"
    labels: dict[str, _Meaning] = Field(min_length=1)


def shipped_schemes() -> tuple[str, ...]:
    """Names of the schemes that come with this program."""
    folder = files("app.research.evaluation") / "schemes"
    return tuple(sorted(f.name.removesuffix(".json") for f in folder.iterdir()))


def read_scheme(name_or_file: Path) -> LabelScheme:
    """Read a scheme.

    Parameters
    ----------
    name_or_file : Path
        Name of a shipped scheme, a JSON file of their form, or nnU-Net's ``dataset.json``.

    Returns
    -------
    LabelScheme
        Checked.

    Raises
    ------
    UnreadableInputError
        ``unknown_scheme`` where it is neither a name nor a file; ``bad_scheme`` with what is
        wrong in it.
    """
    if str(name_or_file) in shipped_schemes():
        text = (files("app.research.evaluation") / "schemes" / f"{name_or_file}.json").read_text(
            encoding="utf-8"
        )
    elif name_or_file.is_file():
        try:
            text = name_or_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _bad("it cannot be read") from error
    else:
        raise UnreadableInputError(
            f"no label scheme '{name_or_file}': give a JSON file, nnU-Net's dataset.json, or one "
            f"of {', '.join(shipped_schemes())}",
            reasons=("unknown_scheme",),
        )
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _bad("it is no JSON") from error
    labels = document.get("labels") if isinstance(document, dict) else None
    if (
        isinstance(labels, dict)
        and labels
        and not any(isinstance(v, dict) for v in labels.values())
    ):
        return _of_nnunet(document, labels)
    try:
        return _of_file(_File.model_validate(document))
    except ValidationError as error:
        first = error.errors()[0]
        place = " > ".join(map(str, first["loc"]))
        raise _bad(f"{place}: {first['msg']}") from error


def _of_file(file: _File) -> LabelScheme:
    structures: dict[int, str] = {}
    instances: dict[int, int] = {}
    known: set[int] = set()
    for text, meaning in file.labels.items():
        numbers = _range(text)
        if known & set(numbers):
            raise _bad(f"{text}: a number stands twice")
        known.update(numbers)
        if meaning.structure:
            if not labels_of(meaning.structure):
                raise _bad(f"{text}: no structure '{meaning.structure}'; {_allowed()}")
            structures |= dict.fromkeys(numbers, meaning.structure)
        if meaning.instance:
            instances |= dict(_instances(text, numbers, meaning.instance))
    return LabelScheme(file.scheme, structures, instances, frozenset(known), file.numbers)


def _instances(text: str, numbers: range, wanted: str) -> Iterator[tuple[int, int]]:
    ids = _range(wanted)
    if len(ids) not in {1, len(numbers)}:
        raise _bad(f"{text}: {len(numbers)} numbers, {len(ids)} instances")
    for place, number in enumerate(numbers):
        label = ids[place if len(ids) > 1 else 0]
        try:
            vertebra_of(label)
        except KeyError as error:
            raise _bad(f"{text}: {label} is no instance (X, 100 + X, 200 + X, 26)") from error
        yield number, label


def _of_nnunet(document: Mapping[str, Any], labels: Mapping[str, Any]) -> LabelScheme:
    """Read nnU-Net's ``dataset.json``: names to numbers (of its first version the reverse)."""
    if all(number.isdigit() and isinstance(name, str) for number, name in labels.items()):
        labels = {str(name): int(number) for number, name in labels.items()}
    structures: dict[int, str] = {}
    known: set[int] = set()
    for name, number in labels.items():
        if not isinstance(number, int) or not 0 <= number <= _HIGHEST:
            raise _bad(f"{name}: regions and anything but one number per label are not read")
        known.add(number)
        if number:
            structures[number] = _structure_named(name)
    title = str(document.get("name") or "nnU-Net dataset.json")
    return LabelScheme(title, structures, {}, frozenset(known), "running")


def _structure_named(name: str) -> str:
    plain = name.strip().lower()
    if labels_of(plain):
        return plain
    bare = _NUMBER_BEHIND.sub("", name.strip())
    try:
        number = label_number(bare) if not bare.isdigit() else 0
    except ModelUnusableError:
        number = int(Structure.SACRUM) if bare.lower() == "sacrum" else 0
    if not labels_of(str(number)):
        raise _bad(f"'{name}' is the name of no structure; {_allowed()}")
    return str(number)


def _range(text: str) -> range:
    found = _RANGE.fullmatch(text.strip())
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if last < first or last > _HIGHEST:
        raise _bad(f"'{text}' is no number and no range such as 11-17")
    return range(first, last + 1)


def _allowed() -> str:
    return f"known are {', '.join(GROUPS)} and the numbers of SPINEPS's structures"


def _bad(what: str) -> UnreadableInputError:
    return UnreadableInputError(f"the label scheme cannot be used: {what}", reasons=("bad_scheme",))
