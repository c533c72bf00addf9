"""Load the networks of a run: which folders, on which device, by which engine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from app.errors import ConfigurationError
from app.registry import find_model, folder_digest, read_registry, sha256_of
from app.run.bootstrap import prepare_process
from app.run.checks import require_modality
from operators.dicom.identity.provenance import ModelIdentity
from operators.errors import UnreadableInputError

if TYPE_CHECKING:
    from pathlib import Path

    from app.settings import InferenceSettings, ModelSettings
    from operators.networks.instances import InstanceModel
    from operators.networks.labelling import LabellingModel
    from operators.networks.semantic import SemanticModel


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBundle:
    """Networks loaded once per process and shared by all runs.

    Attributes
    ----------
    semantic : SemanticModel or None
        Phase 1; None where a label map is given.
    instance : InstanceModel
        Phase 2.
    semantic_identity, instance_identity : ModelIdentity
        What the results say about them; the semantic one may stand for a given label map.
    profile : str
        Device, engine and number format, such as ``cpu-openvino-fp32+cpu-fp32``.
    labelling : LabellingModel or None
        Asked about levels, where one is set.
    labelling_identity : ModelIdentity or None
        Of that model.
    """

    semantic: SemanticModel | None
    instance: InstanceModel
    semantic_identity: ModelIdentity
    instance_identity: ModelIdentity
    profile: str
    labelling: LabellingModel | None = None
    labelling_identity: ModelIdentity | None = None

    @property
    def identities(self) -> dict[str, dict[str, str]]:
        """Name, version and digest of each model, as the record has them."""
        phases = {
            "semantic": self.semantic_identity,
            "instance": self.instance_identity,
            "labelling": self.labelling_identity,
        }
        return {phase: asdict(model) for phase, model in phases.items() if model is not None}


def load_models(
    models: ModelSettings, inference: InferenceSettings, *, given_mask: Path | None = None
) -> ModelBundle:
    """Load both networks; a model that does not load is an error now, not at the first study.

    Parameters
    ----------
    models : ModelSettings
        Names or folders.
    inference : InferenceSettings
        Device, precision, engine, threads.
    given_mask : Path, optional
        Label map that takes the place of phase 1, whose network is then not loaded.

    Returns
    -------
    ModelBundle
        Ready to use.

    Raises
    ------
    ConfigurationError
        ``no_such_device``: CUDA is asked for and not there; ``no_bfloat16``: bf16 is asked for on
        a processor that cannot compute in it; ``engine_not_for_this``: OpenVINO is asked for on
        CUDA or with bf16.
    ModelUnusableError
        If a folder is missing, changed, or holds no model of that kind, or one of another modality
        that nobody asked for (``other_modality``).
    UnreadableInputError
        If the given label map cannot be read.
    """
    import torch  # noqa: PLC0415 - seconds; only where a network is loaded

    from operators.networks.instances import load_instance_model  # noqa: PLC0415
    from operators.networks.semantic import load_semantic_model  # noqa: PLC0415

    if inference.threads:
        torch.set_num_threads(inference.threads)
    device = _device(inference.device)
    _require_precision(inference.precision, device)
    _require_engine(inference, device)
    instance_folder = find_model(models.directory, models.instance)
    instance = load_instance_model(instance_folder, device=device, precision=inference.precision)
    semantic, profiles = None, [instance.network.profile]
    if given_mask is not None:
        semantic_identity = _mask_identity(given_mask)
    else:
        folder = find_model(models.directory, models.semantic)
        semantic = load_semantic_model(
            folder, device=device, precision=inference.precision, engine=inference.engine
        )
        require_modality(semantic.config.modality, is_other_told=models.other_modality)
        semantic_identity = _identity(folder)
        profiles.insert(0, semantic.profile)
    labelling, labelling_identity = _load_labelling(models, device)
    return ModelBundle(
        semantic=semantic,
        instance=instance,
        semantic_identity=semantic_identity,
        instance_identity=_identity(instance_folder),
        profile="+".join(dict.fromkeys(profiles)),
        labelling=labelling,
        labelling_identity=labelling_identity,
    )


def _load_labelling(
    models: ModelSettings, device: str
) -> tuple[LabellingModel | None, ModelIdentity | None]:
    if not models.labelling:
        return None, None
    from operators.networks.labelling import load_labelling_model  # noqa: PLC0415 - as above

    prepare_process()  # MONAI imports holoscan
    folder = find_model(models.directory, models.labelling)
    return load_labelling_model(folder, device=device), _identity(folder)


def _device(asked: str) -> str:
    import torch  # noqa: PLC0415 - as above

    has_cuda = torch.cuda.is_available()
    if asked == "auto":
        return "cuda" if has_cuda else "cpu"
    if asked == "cuda" and not has_cuda:
        message = "inference.device is cuda, but no CUDA device is usable here; try auto"
        raise ConfigurationError(message, reasons=("no_such_device",))
    return asked


def _require_precision(asked: str, device: str) -> None:
    from operators.networks.precision import computes_in_bfloat16  # noqa: PLC0415 - as above

    if asked == "bf16" and not computes_in_bfloat16(device):
        message = "inference.precision is bf16, in which this processor does not compute; try auto"
        raise ConfigurationError(message, reasons=("no_bfloat16",))


def _require_engine(inference: InferenceSettings, device: str) -> None:
    from operators.networks.engines import runs_in_openvino  # noqa: PLC0415 - as above

    if inference.engine == "openvino" and not runs_in_openvino(device):
        message = "inference.engine is openvino, which is for the CPU alone; try auto"
        raise ConfigurationError(message, reasons=("engine_not_for_this",))


def _identity(folder: Path) -> ModelIdentity:
    entry = read_registry(folder.parent).models.get(folder.name)
    version = entry.version if entry is not None else "not registered"
    return ModelIdentity(folder.name, version, folder_digest(folder))


def _mask_identity(mask: Path) -> ModelIdentity:
    try:
        return ModelIdentity("given label map", "-", sha256_of(mask))
    except OSError as error:
        raise UnreadableInputError(f"the mask cannot be read: {error.strerror}") from error
