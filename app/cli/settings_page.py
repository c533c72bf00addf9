"""Every setting of app.yaml as a page, made of the classes that read it.

``python -m app.cli.settings_page > docs/settings.md`` writes the page; a test holds it current.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import yaml
from pydantic import BaseModel

from app.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

_HEAD = """\
# Settings

Everything that app.yaml may say; unknown keys are refused (`spine-node check-config`). Made from
the settings' classes by `python -m app.cli.settings_page`; do not edit. Names end in their unit:
`_s` seconds, `_h` hours, `_days`, `_mb` 10^6 bytes.
"""
_TABLE = "| key | default | allowed | meaning |\n|---|---|---|---|\n"


def as_markdown() -> str:
    """Write the page.

    Returns
    -------
    str
        One table per section, in the order of the classes.
    """
    return _HEAD + "".join(_section(Settings, ""))


def _section(model: type[BaseModel], path: str) -> Iterator[str]:
    fields = model.model_fields
    plain = {name: field for name, field in fields.items() if not _models_of(field.annotation)}
    if plain:
        yield f"\n## {path or 'Top level'}\n\n{_first_line(model)}\n\n{_TABLE}"
        for name, field in plain.items():
            yield _row(model, name, field)
    for name, field in fields.items():
        inner = _models_of(field.annotation)
        marker = "[]" if str(field.annotation).startswith("list") else ""
        for one in inner:
            kind = f" ({_allowed(one.model_fields['kind'])})" if len(inner) > 1 else ""
            yield from _section(one, f"{path}.{name}".lstrip(".") + marker + kind)


def _models_of(annotation: object) -> list[type[BaseModel]]:
    """Sections that a field holds: one, a list of them, one of several kinds, perhaps none."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_of(part)]


def _row(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    cells = (
        f"`{field.alias or name}`",
        "required"
        if field.is_required()
        else f"`{_value(field.get_default(call_default_factory=True))}`",
        _allowed(field),
        _texts(model).get(name, ""),
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _value(value: object) -> str:
    """Write it as YAML does."""
    return yaml.safe_dump(value if isinstance(value, _YAML) else str(value)).partition("\n")[0]


def _allowed(field: FieldInfo) -> str:
    choices = [str(choice) for choice in get_args(field.annotation) if isinstance(choice, str)]
    limits = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in _SIGNS.items()
        if getattr(limit, name, None) is not None
    ]
    return ", ".join(choices or limits)


_YAML = (bool, int, float, str, list, dict, type(None))
_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def _first_line(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").partition("\n\n")[0].replace("\n", " ")


@cache
def _texts(model: type[BaseModel]) -> dict[str, str]:
    """Docstrings that stand below the fields in the source, those of its bases included."""
    bases = (base for base in model.__bases__ if issubclass(base, BaseModel))
    found: dict[str, Any] = {}
    for base in bases:
        if base is not BaseModel:
            found |= _texts(base)
    tree = ast.parse(Path(inspect.getfile(model)).read_text("utf-8"))
    body = next(
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == model.__name__
    )
    for field, text in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
