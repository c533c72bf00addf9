"""What the site decided: app.yaml and the environment, read here and nowhere else.

A key that is unknown or misspelt is an error: Holoscan itself would run on without settings.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import ConfigurationError

REPOSITORY_CONFIG = Path(__file__).resolve().parent.parent / "app.yaml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ApplicationSettings(_Section):
    """Name and version that a MAP host shows."""

    title: str = Field(min_length=1)
    version: str = Field(pattern=r"^\d+\.\d+\.\d+([-+].*)?$")
    input_formats: list[str] = Field(alias="input-formats", default_factory=list)
    output_formats: list[str] = Field(alias="output-formats", default_factory=list)


class ResourceSettings(_Section):
    """What a MAP host should give the container."""

    cpu: int = Field(ge=1, default=2)
    gpu: int = Field(ge=0, default=0)
    memory: str = Field(pattern=r"^\d+(Mi|Gi)$", default="4Gi")


class ModelSettings(_Section):
    """Which model folders are used, by registry name or by path."""

    directory: Path = Path("models")
    semantic: str = "spine_t2w_compact"
    instance: str = "vertebra_instance_compact"


class InferenceSettings(_Section):
    """Where and how the networks run."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    threads: int = Field(ge=0, default=0)


class OutputSettings(_Section):
    """What is written beside the two segmentation objects."""

    overlay: bool = False


class Settings(_Section):
    """The whole of app.yaml."""

    application: ApplicationSettings
    resources: ResourceSettings = ResourceSettings()
    models: ModelSettings = ModelSettings()
    inference: InferenceSettings = InferenceSettings()
    output: OutputSettings = OutputSettings()
    on_no_series: Literal["success", "code"] = "success"


class HostFolders(_Section):
    """Folders named by a MAP host (MONAI Application Package specification 1.0)."""

    input: Path
    output: Path
    models: Path | None
    logs: Path | None


def load_settings(path: Path | None = None) -> Settings:
    """Read and validate app.yaml.

    Parameters
    ----------
    path : Path, optional
        Default: ``HOLOSCAN_CONFIG_PATH``, else the app.yaml beside the packages.

    Returns
    -------
    Settings
        Validated; ``models.directory`` is absolute.

    Raises
    ------
    ConfigurationError
        If the file is missing, is not YAML, or holds unknown or impossible values.
    """
    file = path or Path(os.environ.get("HOLOSCAN_CONFIG_PATH") or REPOSITORY_CONFIG)
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"app.yaml cannot be read: {error.strerror}") from error
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
    directory = (file.resolve().parent / settings.models.directory).resolve()
    if not directory.is_dir():
        # In the MAP image app.yaml lies in /var/holoscan, the models beside the application.
        directory = REPOSITORY_CONFIG.parent / "models"
    models = settings.models.model_copy(update={"directory": directory})
    return settings.model_copy(update={"models": models})


def host_folders() -> HostFolders:
    """Folders that the MAP host named in the environment; the SDK's defaults otherwise."""
    models = os.environ.get("HOLOSCAN_MODEL_PATH")
    logs = os.environ.get("HOLOSCAN_LOGS_PATH")
    return HostFolders(
        input=Path(os.environ.get("HOLOSCAN_INPUT_PATH") or "input"),
        output=Path(os.environ.get("HOLOSCAN_OUTPUT_PATH") or "output"),
        models=Path(models) if models else None,
        logs=Path(logs) if logs else None,
    )
