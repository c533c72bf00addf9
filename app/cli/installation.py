"""Commands about this installation: what it has, and whether its settings can be used."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from app import __version__
from app.cli.groups import INSTALLATION
from app.cli.models import JsonOption  # noqa: TC001 - Typer reads it
from app.errors import ExitCode
from app.node.telemetry.codes import error_codes
from app.node.tls import check_certificates
from app.registry import find_model, models_in
from app.run.identity import intended_use_of
from app.settings import load_settings, model_places
from operators.dicom.identity.provenance import notice_of

if TYPE_CHECKING:
    from app.settings import Settings

ConfigOption = Annotated[Path | None, typer.Option("--config", help="app.yaml to use.")]

_ALSO_READ: Final = ("NIfTI (.nii, .nii.gz), one sagittal T2-weighted spine image",)
_ALSO_WRITTEN: Final = ("of a NIfTI image: both masks as NIfTI, centroids as JSON",)
"""Beside what a MAP host is told, which knows DICOM only."""


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("check-config", rich_help_panel=INSTALLATION)(check_config)
    app.command(rich_help_panel=INSTALLATION)(describe)


def check_config(config: ConfigOption = None) -> None:
    """Validate app.yaml; unknown keys and certificates that cannot be used are refused."""
    settings = load_settings(config)
    check_certificates(settings.node)
    for name in (settings.models.semantic, settings.models.instance):
        find_model(settings.models.directory, name)
    typer.echo("app.yaml is valid and its models are as registered")


def describe(config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002
    """Say which versions, models and capabilities this installation has. Loads no network."""
    document = description(load_settings(config))
    if as_json:
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return
    for section, values in document.items():
        typer.echo(f"{section}: {json.dumps(values)}")


def description(settings: Settings) -> dict[str, Any]:
    """Versions, models and capabilities as plain data."""
    packages = ("monai-deploy-app-sdk", "holoscan-cu13", "torch", "highdicom", "pydicom")
    return {
        "software": {"spine-node": __version__, **{name: _version(name) for name in packages}},
        "models": {
            name: {"kind": entry.kind, "version": entry.version, "licence": entry.licence}
            for name, entry in models_in(model_places(settings.models.directory)).items()
        },
        "configured": settings.models.model_dump(mode="json", exclude={"directory"}),
        "capabilities": {
            "input": [*settings.application.input_formats, *_ALSO_READ],
            "output": [*settings.application.output_formats, *_ALSO_WRITTEN],
            "exit_codes": {code.name.lower(): int(code) for code in ExitCode},
            "error_codes": {entry.code: entry.meaning for entry in error_codes()},
        },
        "intended_use": notice_of(intended_use_of(settings)),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
