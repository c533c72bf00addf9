"""app.yaml: the whole of it, and how it is read.

A key that is unknown or misspelt is an error: Holoscan itself would run on without settings.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import yaml
from pydantic import ValidationError

from app.errors import ConfigurationError
from app.settings.node import NodeSettings
from app.settings.pipeline import (
    ApplicationSettings,
    InferenceSettings,
    IntendedUseSettings,
    ModelSettings,
    OutputSettings,
    ResourceSettings,
    SelectionOptions,
)
from app.settings.places import BUNDLED_CONFIG
from app.settings.section import Section


class Settings(Section):
    """The whole of app.yaml."""

    application: ApplicationSettings
    resources: ResourceSettings = ResourceSettings()
    models: ModelSettings = ModelSettings()
    inference: InferenceSettings = InferenceSettings()
    selection: SelectionOptions = SelectionOptions()
    output: OutputSettings = OutputSettings()
    on_no_series: Literal["success", "code"] = "success"
    """Answer of a MAP where nothing is to do: success (0), or code (11)."""
    intended_use: IntendedUseSettings | None = None
    node: NodeSettings = NodeSettings()


def load_settings(path: Path | None = None) -> Settings:
    """Read and validate app.yaml.

    Parameters
    ----------
    path : Path, optional
        Default: ``HOLOSCAN_CONFIG_PATH``, else the app.yaml that comes with the product.

    Returns
    -------
    Settings
        Validated; ``models.directory`` is absolute.

    Raises
    ------
    ConfigurationError
        If the file is missing, is not YAML, or holds unknown or impossible values.
    """
    file = path or Path(os.environ.get("HOLOSCAN_CONFIG_PATH") or BUNDLED_CONFIG)
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"app.yaml cannot be read: {error.strerror}: {file}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError("app.yaml is not valid YAML") from error
    if not isinstance(document, dict):
        raise ConfigurationError("app.yaml holds no settings")
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        raise ConfigurationError(f"app.yaml: {problems}") from error
    named = os.environ.get("HOLOSCAN_MODEL_PATH")
    directory = Path(named) if named else file.resolve().parent / settings.models.directory
    models = settings.models.model_copy(update={"directory": directory.resolve()})
    return settings.model_copy(update={"models": models, "node": _with_environment(settings.node)})


def _with_environment(node: NodeSettings) -> NodeSettings:
    """Folder and database from the environment: what differs between the hosts of one site."""
    data = Path(os.environ.get("SPINE_NODE_DATA") or node.data).absolute()
    url = os.environ.get("SPINE_NODE_DATABASE_URL") or node.database_url
    return node.model_copy(update={"data": data, "database_url": url})
