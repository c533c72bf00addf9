"""What a site's settings make of a result: the identity that job ids and UIDs have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app import __version__
from app.registry import find_model, folder_digest
from operators.dicom.identity.provenance import IntendedUse, WorkIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.settings import ModelSettings, Settings

NEUTRAL: Final = frozenset(
    {
        "application",  # what a MAP host shows
        "resources",
        "models",  # counted by the digests of their files
        "inference.device",  # counted as numeric profile
        "inference.precision",
        "inference.engine",
        "inference.threads",
        "selection",  # which images are taken: counted by their digests
        "output",  # what is written beside the segmentations
        "on_no_series",
        "node",  # how images come and results leave
        "intended_use",  # counted by itself
    }
)
"""Settings, or sections of them, that are no parameters. Every other one is, so that a setting
that is added counts until somebody has thought about it."""


def identity_of(settings: Settings) -> WorkIdentity:
    """Identity of this installation's work, before a device is chosen.

    Parameters
    ----------
    settings : Settings
        Of the site.

    Returns
    -------
    WorkIdentity
        Its numeric profile is what the site asks for.

    Raises
    ------
    ModelUnusableError
        If a model is missing or was changed.
    """
    models, inference = settings.models, settings.inference
    semantic, instance = (
        folder_digest(find_model(models.directory, name))
        for name in (models.semantic, models.instance)
    )
    return WorkIdentity(
        semantic_digest=semantic,
        instance_digest=instance,
        software_version=__version__,
        numeric_profile=f"{inference.device}-{inference.engine}-{inference.precision}",
        parameters=(*parameters_of(settings), *labelling_parameter(labelling_digest(models))),
        intended_use=intended_use_of(settings),
    )


def labelling_digest(models: ModelSettings) -> str:
    """SHA-256 of the labelling model's files; empty where none is used.

    Raises
    ------
    ModelUnusableError
        If it is missing or was changed.
    """
    return folder_digest(find_model(models.directory, models.labelling)) if models.labelling else ""


def labelling_parameter(digest: str) -> tuple[tuple[str, str], ...]:
    """Say, as a parameter of a result, which labelling model helped to name its levels."""
    return (("labelling_sha256", digest),) if digest else ()


def intended_use_of(settings: Settings) -> IntendedUse | None:
    """Give the intended use that the site has set, if it has."""
    used = settings.intended_use
    if used is None:
        return None
    return IntendedUse(statement=used.statement, responsible=used.responsible)


def parameters_of(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Name the settings that change a result, by their place in app.yaml.

    Parameters
    ----------
    settings : Settings
        Of the site.

    Returns
    -------
    tuple of (str, str)
        Names such as ``section.key``, and values as text.
    """
    return tuple(_leaves("", settings.model_dump(mode="json", by_alias=True)))


def _leaves(prefix: str, values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in sorted(values.items()):
        name = f"{prefix}{key}"
        if name in NEUTRAL:
            continue
        if isinstance(value, dict):
            yield from _leaves(f"{name}.", value)
        else:
            yield name, str(value)
