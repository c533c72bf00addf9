"""The two manifests of a MONAI application package (MAP), made from app.yaml.

A host reads them to start the container: ``app.json`` says how the application is started and
where it reads and writes, ``pkg.json`` which models and resources it has. The form is that of
holoscan-cli 4.2, which hosts parse (``command`` is a string that holds a JSON array, ``models`` a
mapping), with the specification's own ``output.format`` beside the program's ``output.formats``
(MONAI Application Package specification 1.0.0, sections on the manifests).
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from app.errors import OutputUnwritableError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from app.settings import Settings

API_VERSION: Final = "1.0.0"
APPLICATION_ROOT: Final = "/opt/holoscan/app"
MODEL_ROOT: Final = "/opt/holoscan/models"
WORKING_DIRECTORY: Final = "/var/holoscan"
COMMAND: Final = ("python3", "-u", "-m", "app")
"""Works from every folder, because the image installs the packages."""

ENVIRONMENT: Final[dict[str, str]] = {
    "HOLOSCAN_APPLICATION": APPLICATION_ROOT,
    "HOLOSCAN_INPUT_PATH": "input/",
    "HOLOSCAN_OUTPUT_PATH": "output/",
    "HOLOSCAN_WORKDIR": WORKING_DIRECTORY,
    "HOLOSCAN_MODEL_PATH": MODEL_ROOT,
    "HOLOSCAN_CONFIG_PATH": f"{WORKING_DIRECTORY}/app.yaml",
    "HOLOSCAN_APP_MANIFEST_PATH": "/etc/holoscan/app.json",
    "HOLOSCAN_PKG_MANIFEST_PATH": "/etc/holoscan/pkg.json",
    "HOLOSCAN_DOCS_PATH": "/opt/holoscan/docs",
    "HOLOSCAN_LOGS_PATH": f"{WORKING_DIRECTORY}/logs",
}
"""What a host that does not start the image's own entry point has to set."""


def app_manifest(settings: Settings) -> dict[str, Any]:
    """Content of ``app.json``: how a host starts the application.

    Parameters
    ----------
    settings : Settings
        The whole of app.yaml. The time-out is the one the node itself gives a series.

    Returns
    -------
    dict
        Plain data, ready for JSON.
    """
    application = settings.application
    outputs = application.output_formats
    return {
        "apiVersion": API_VERSION,
        "command": json.dumps(COMMAND),
        "environment": ENVIRONMENT,
        "input": {"path": "input/", "formats": application.input_formats},
        "liveness": None,
        "output": {"path": "output/", "format": outputs, "formats": outputs},
        "readiness": None,
        "sdk": "monai-deploy",
        "sdkVersion": version("monai-deploy-app-sdk"),
        "timeout": int(settings.node.worker.inference_timeout_s),
        "version": application.version,
        "workingDirectory": WORKING_DIRECTORY,
    }


def package_manifest(settings: Settings, models: Iterable[str]) -> dict[str, Any]:
    """Content of ``pkg.json``: what is in the package and what it needs.

    Parameters
    ----------
    settings : Settings
        The whole of app.yaml.
    models : iterable of str
        Names of the model folders that are packed.

    Returns
    -------
    dict
        Plain data, ready for JSON.
    """
    resources = settings.resources.model_dump(exclude_none=True)
    return {
        "apiVersion": API_VERSION,
        "applicationRoot": APPLICATION_ROOT,
        "modelRoot": MODEL_ROOT,
        "models": {name: f"{MODEL_ROOT}/{name}" for name in sorted(models)},
        "resources": resources,
        "version": settings.application.version,
        "platformConfig": "dgpu" if settings.resources.gpu else "cpu",
    }


def write_manifests(settings: Settings, models: Iterable[str], folder: Path) -> tuple[Path, Path]:
    """Write ``app.json`` and ``pkg.json``.

    Parameters
    ----------
    settings : Settings
        The whole of app.yaml.
    models : iterable of str
        Names of the model folders that are packed.
    folder : Path
        Made if missing; in the image ``/etc/holoscan``.

    Returns
    -------
    tuple of Path
        The two files.

    Raises
    ------
    OutputUnwritableError
        If the folder cannot be written.
    """
    documents = {
        "app.json": app_manifest(settings),
        "pkg.json": package_manifest(settings, models),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in documents.items():
            (folder / name).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputUnwritableError(
            f"the manifests cannot be written: {error.strerror}", reasons=("output_unwritable",)
        ) from error
    return folder / "app.json", folder / "pkg.json"
