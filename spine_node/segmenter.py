"""Networks that stay loaded, and the three things that can be handed to them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NoReturn

from pydantic import ValidationError

from app.errors import ConfigurationError
from app.run.identity import intended_use_of
from app.run.in_memory import load_graph, segment
from app.settings import InferenceSettings, load_settings
from operators.dicom.identity.provenance import notice_of
from operators.dicom.reading.input_files import is_nifti
from operators.dicom.selection.outlook import as_json
from operators.dicom.selection.series_selection import SelectionSettings
from operators.errors import NoSpineFoundError, UnreadableInputError
from operators.imaging.nifti_array import volume_of
from operators.imaging.spine_view import extent_text
from spine_node.results import Study, result_of

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import ArrayLike

    from operators.case import Case, Progress
    from operators.errors import SpineError
    from operators.imaging.volume import Volume
    from spine_node.results import Segmentation

Device = Literal["auto", "cpu", "cuda"]

_ASK_PLACE: Final = (
    "{message}; as its affine places it, the image reaches over {extent}: is the affine right?"
)


class Segmenter:
    """Both networks, loaded once; every call segments one image or study.

    Calls from several threads take their turns. Ctrl-C ends a call within seconds.

    Parameters
    ----------
    semantic, instance : str or path, optional
        Model of phase 1 and of phase 2: a registered name, or the folder of a model, for example
        one just trained; default: the configured ones, which come with the package.
    labelling : str or path, optional
        Labelling network that is asked about levels, too; default: the configured one, none.
    models : path, optional
        Folder in which names are looked up first.
    device : str, optional
        ``auto``, ``cpu`` or ``cuda``; default: as configured, ``auto``.
    config : path, optional
        Another app.yaml; default: the one that comes with the package.
    other_modality : bool, optional
        Also take a phase 1 model that says it is for other images than T2w MR.

    Raises
    ------
    ConfigurationError
        If app.yaml cannot be used, or there is no such device.
    ModelUnusableError
        If a model is missing, changed or of the wrong kind or modality; says where it was looked
        for.
    """

    def __init__(  # noqa: PLR0913 - one per setting, by name
        self,
        *,
        semantic: str | PathLike[str] | None = None,
        instance: str | PathLike[str] | None = None,
        labelling: str | PathLike[str] | None = None,
        models: str | PathLike[str] | None = None,
        device: Device | None = None,
        config: str | PathLike[str] | None = None,
        other_modality: bool | None = None,
    ) -> None:
        load_graph()
        from app.run.models import load_models  # noqa: PLC0415 - seconds: torch

        settings = load_settings(None if config is None else Path(config))
        chosen = {
            "semantic": None if semantic is None else str(semantic),
            "instance": None if instance is None else str(instance),
            "labelling": None if labelling is None else str(labelling),
            "directory": None if models is None else Path(models).absolute(),
            "other_modality": other_modality,
        }
        update = {key: value for key, value in chosen.items() if value is not None}
        self._notice = notice_of(intended_use_of(settings))
        self._selection = SelectionSettings(**settings.selection.model_dump())
        self._models = load_models(
            settings.models.model_copy(update=update), _on(settings.inference, device)
        )

    @property
    def profile(self) -> str:
        """Device and number format the networks run with, such as ``cpu-fp32``."""
        return self._models.profile

    @property
    def models(self) -> dict[str, dict[str, str]]:
        """Name, version and digest of the model of either phase."""
        return self._models.identities

    def segment(
        self, array: ArrayLike, affine: ArrayLike, *, progress: Progress | None = None
    ) -> Segmentation:
        """Segment an image in memory.

        Parameters
        ----------
        array : (I, J, K) array-like
            Sagittal T2-weighted intensities, ``array[i, j, k]``.
        affine : (4, 4) array-like
            Index (i, j, k, 1) to RAS mm: ``image.affine`` of ``nibabel``.
        progress : callable, optional
            Told (name, step, fraction), in another thread.

        Returns
        -------
        Segmentation
            On the grid of the array.

        Raises
        ------
        GeometryError
            What is wrong with shape or affine: ``not_three_dimensional``, ``empty_image``,
            ``invalid_transform``, ``singular_affine``, ``implausible_spacing``, ``shear``,
            ``too_few_slices``, ``implausible_extent``, ``not_sagittal``.
        PixelDataError
            Values that are no real numbers.
        IntensityError
            ``constant_image``, ``non_finite_voxels``.
        UnreadableInputError
            ``label_map_given``.
        NoSpineFoundError
            The image holds no vertebra.
        """
        return self._one(volume_of(array, affine), progress)

    def segment_file(
        self, path: str | PathLike[str], *, progress: Progress | None = None
    ) -> Segmentation:
        """Segment a NIfTI file, ``.nii`` or ``.nii.gz``.

        Raises
        ------
        UnreadableInputError
            ``missing_input``, ``unreadable_nifti``, or ``not_nifti`` by its name.
        SpineError
            As in `segment`, and ``no_transform`` and ``disagreeing_transforms`` of the header.
        """
        source = _existing(path)
        if not (source.is_file() and is_nifti(source)):
            message = "segment_file takes a .nii or .nii.gz file; DICOM: segment_dicom"
            raise UnreadableInputError(message, reasons=("not_nifti",))
        return self._one(source, progress)

    def segment_dicom(
        self, folder: str | PathLike[str], *, progress: Progress | None = None
    ) -> Study:
        """Segment every sagittal T2w spine series of a DICOM folder.

        Parameters
        ----------
        folder : path
            Searched at any depth; one file is a folder of its own.
        progress : callable, optional
            Told (key, step, fraction), in another thread.

        Returns
        -------
        Study
            Series in the order in which they were found; slices ordered by position, so that
            ``affine`` fits.

        Raises
        ------
        UnreadableInputError
            ``missing_input``, ``no_dicom``, or ``not_dicom`` for a NIfTI file.
        SeriesUnsuitableError
            If no series is a sagittal T2-weighted spine series.
        SpineError
            Of the first series, if all that were worth segmenting failed.
        """
        source = _existing(folder)
        if source.is_file() and is_nifti(source):
            message = "segment_dicom takes DICOM; a NIfTI file: segment_file"
            raise UnreadableInputError(message, reasons=("not_dicom",))
        found = segment(source, self._models, self._selection, progress)
        failures = {case.key: case.failure for case in found.cases if case.failure is not None}
        series = tuple(
            result_of(case, self.models, self._notice)
            for case in found.cases
            if case.failure is None
        )
        if failures and not series:
            raise next(iter(failures.values()))
        return Study(
            series=series,
            failures=failures,
            decisions=tuple(as_json(found.decisions)),
            passed_over=found.passed_over,
        )

    def _one(self, source: Path | Volume, progress: Progress | None) -> Segmentation:
        (case,) = segment(source, self._models, self._selection, progress).cases
        if case.failure is not None:
            _raise_failure(case, case.failure)
        return result_of(case, self.models, self._notice)


def _on(inference: InferenceSettings, device: str | None) -> InferenceSettings:
    if device is None:
        return inference
    try:
        return InferenceSettings.model_validate(inference.model_dump() | {"device": device})
    except ValidationError as error:
        message = f"there is no device '{device}': auto, cpu or cuda"
        raise ConfigurationError(message, reasons=("no_such_device",)) from error


def _existing(path: str | PathLike[str]) -> Path:
    source = Path(path)
    if not source.exists():
        raise UnreadableInputError("the input does not exist", reasons=("missing_input",))
    return source


def _raise_failure(case: Case, failure: SpineError) -> NoReturn:
    if isinstance(failure, NoSpineFoundError) and case.volume is not None:
        message = _ASK_PLACE.format(message=failure.message, extent=extent_text(case.volume))
        raise NoSpineFoundError(message, reasons=failure.reasons) from failure
    raise failure
