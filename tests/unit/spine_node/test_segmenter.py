"""The public front: arrays in NIfTI's convention in, masks on the same grid out, errors by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import spine_node
from app.run import models
from operators.imaging.volume import Volume
from spine_node import (
    ConfigurationError,
    GeometryError,
    InputRejectedError,
    ModelUnusableError,
    NoSpineFoundError,
    SegmentationError,
    Segmenter,
    SeriesUnsuitableError,
    UnreadableInputError,
)
from tests.builders.mr_phantom import SAGITTAL
from tests.builders.mr_series import make_series
from tests.builders.nifti_images import SAGITTAL_RAS, noise, save_image
from tests.builders.nnunet_folder import write_folder
from tests.builders.stub_models import StubResult, StubSemanticModel, spine_series, stub_bundle

ROOT = Path(__file__).resolve().parents[3]
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Segmenter]:
    """A segmenter with stand-in networks."""

    def make(semantic: StubSemanticModel | None = None) -> Segmenter:
        monkeypatch.setattr(models, "load_models", lambda *_, **__: stub_bundle(semantic))
        return Segmenter()

    return make


def test_masks_lie_on_the_grid_of_the_array(made: Callable[..., Segmenter]) -> None:
    array = noise()
    result = made().segment(array, SAGITTAL_RAS)
    assert result.semantic.shape == result.instances.shape == result.image.shape == array.shape
    assert result.semantic.dtype == result.instances.dtype == np.uint16
    np.testing.assert_array_equal(result.affine, SAGITTAL_RAS)
    np.testing.assert_array_equal(result.image, array)
    # The stand-in paints bodies from 5 to 35 mm in front of the middle and the canal behind them.
    place = nib.affines.apply_affine(SAGITTAL_RAS, np.argwhere(result.semantic == 49))
    middle = nib.affines.apply_affine(SAGITTAL_RAS, (np.array(array.shape) - 1) / 2)
    forwards = place[:, 1] - middle[1]
    assert 5 <= forwards.min() < forwards.max() <= 35
    assert np.abs(place[:, 0] - middle[0]).max() < 18


def test_numbers_have_names_and_centres_in_the_patient(made: Callable[..., Segmenter]) -> None:
    result = made().segment(noise(), SAGITTAL_RAS)
    assert set(result.names) == set(np.unique(result.instances).tolist()) - {0}
    assert set(result.structures) == set(np.unique(result.semantic).tolist()) - {0}
    top = result.vertebrae[0]
    assert result.names[top] == f"vertebra {top}"
    assert result.names[100 + top] == f"disc below vertebra {top}"
    assert result.structures[49] == "Vertebral body"
    assert list(result.centroids) == list(result.vertebrae)
    heights = [result.centroids_mm[label][2] for label in result.vertebrae]
    assert heights == sorted(heights, reverse=True)
    inner = np.diff(heights[1:-1])
    np.testing.assert_allclose(inner, -32.0, atol=1.5)
    index = result.centroids[result.vertebrae[1]]
    assert result.instances[tuple(np.rint(index).astype(int))] == result.vertebrae[1]


def test_the_record_is_that_of_a_run(made: Callable[..., Segmenter]) -> None:
    result = made(StubSemanticModel(contested=100)).segment(noise(), SAGITTAL_RAS)
    assert result.record.numbering.startswith("running numbers from the top")
    assert result.volumes_ml == result.record.volumes_ml
    assert result.record.agreement["structures"]["disc"] == 0.5
    assert "low_agreement: disc" in result.flags
    assert "stub_network" in result.flags
    assert result.models["semantic"]["name"] == "stub_semantic"
    assert result.notice == "research use only, not for diagnosis"
    voxels = np.count_nonzero(result.semantic == 49)
    assert result.volumes_ml["corpus"] == pytest.approx(voxels * 1.5 * 1.5 * 3.3 / 1000, abs=0.01)


@pytest.mark.parametrize(
    ("axes", "flipped"), [((2, 1, 0), ()), ((0, 1, 2), (0,)), ((2, 0, 1), (1, 2))]
)
def test_the_order_of_the_axes_changes_nothing_in_the_patient(
    made: Callable[..., Segmenter], axes: tuple[int, ...], flipped: tuple[int, ...]
) -> None:
    image = nib.Nifti1Image(noise(), SAGITTAL_RAS)
    orientation = [[new, -1 if new in flipped else 1] for new in axes]
    turned = image.as_reoriented(orientation)
    segmenter = made()
    first = segmenter.segment(np.asarray(image.dataobj), image.affine)
    second = segmenter.segment(np.asarray(turned.dataobj), turned.affine)
    back = nib.Nifti1Image(first.instances, SAGITTAL_RAS).as_reoriented(orientation)
    np.testing.assert_array_equal(second.instances, np.asarray(back.dataobj))
    for label, place in first.centroids_mm.items():
        np.testing.assert_allclose(second.centroids_mm[label], place, atol=0.02)


def test_an_array_and_its_file_give_the_same(
    made: Callable[..., Segmenter], tmp_path: Path
) -> None:
    segmenter = made()
    path = save_image(tmp_path / "sub-1_T2w.nii.gz")
    from_file = segmenter.segment_file(path)
    from_array = segmenter.segment(noise()[..., None], SAGITTAL_RAS)
    np.testing.assert_array_equal(from_file.semantic, from_array.semantic)
    np.testing.assert_array_equal(from_file.instances, from_array.instances)
    assert from_file.record.key == "sub-1_T2w"


def test_a_study_gives_its_series_and_the_reasons_for_the_others(
    made: Callable[..., Segmenter], tmp_path: Path
) -> None:
    series = spine_series(tmp_path / "in", orientation=SAGITTAL)
    make_series(tmp_path / "in" / "axial", orientation=AXIAL, name="axial")
    study = made().segment_dicom(str(tmp_path / "in"))
    (result,) = study.series
    assert (study.failures, study.passed_over) == ({}, {})
    assert len(study.decisions) == 2
    assert [d["series_uid"] for d in study.decisions if d["accepted"]] == [series.series_uid]
    assert result.image.shape == result.semantic.shape == (64, 100, 12)
    # The columns of a sagittal image run backwards, its rows down: -y and -z in RAS.
    np.testing.assert_allclose(result.affine[:3, 0], (0.0, -1.5, 0.0), atol=1e-6)
    np.testing.assert_allclose(result.affine[:3, 1], (0.0, 0.0, -1.5), atol=1e-6)
    assert len(result.vertebrae) in {4, 5}


def test_one_bad_series_never_loses_the_good_one(
    made: Callable[..., Segmenter], tmp_path: Path
) -> None:
    spine_series(tmp_path / "in" / "a", name="a")
    spine_series(tmp_path / "in" / "b", name="b")
    calls: list[Volume] = []

    def every_second(volume: Volume) -> bool:
        calls.append(volume)
        return len(calls) % 2 == 0

    study = made(StubSemanticModel(fails_on=every_second)).segment_dicom(tmp_path / "in")
    assert len(study.series) == len(study.failures) == 1
    assert isinstance(next(iter(study.failures.values())), SegmentationError)
    with pytest.raises(SegmentationError, match="told to fail"):
        made(StubSemanticModel(fails_on=lambda _: True)).segment_dicom(tmp_path / "in")


def affine(**changes: float) -> np.ndarray:
    """The sagittal affine with single elements changed, named like ``a03``."""
    changed = SAGITTAL_RAS.copy()
    for name, value in changes.items():
        changed[int(name[1]), int(name[2])] = value
    return changed


@pytest.mark.parametrize(
    ("array", "matrix", "reason"),
    [
        (noise(), np.zeros((4, 4)) + np.diag([0, 0, 0, 1]), "singular_affine"),
        (noise(), affine(a10=0.0, a12=1.5), "singular_affine"),
        (noise(), SAGITTAL_RAS[:3], "invalid_transform"),
        (noise(), SAGITTAL_RAS[:3, :3], "invalid_transform"),
        (noise(), SAGITTAL_RAS.T, "invalid_transform"),
        (noise(), affine(a03=np.nan), "invalid_transform"),
        (noise(), None, "invalid_transform"),
        (noise(), np.diag([0.001, 0.001, 0.001, 1.0]), "implausible_spacing"),
        (noise(), affine(a10=1.5, a20=0.5), "shear"),
        (noise((64, 100, 13, 2)), SAGITTAL_RAS, "not_three_dimensional"),
        (noise((64, 100)), SAGITTAL_RAS, "not_three_dimensional"),
        (np.zeros((64, 0, 13)), SAGITTAL_RAS, "empty_image"),
        (noise((64, 100, 4)), SAGITTAL_RAS, "too_few_slices"),
        (noise(), np.eye(4), "implausible_extent"),
        (noise((13, 100, 64)), SAGITTAL_RAS, "implausible_extent"),
        (noise((64, 100, 13)), np.diag([0.7, 0.7, 4.0, 1.0]), "not_sagittal"),
        (noise().astype(np.complex64), SAGITTAL_RAS, "complex_image"),
        (np.zeros((64, 100, 13), "U1"), SAGITTAL_RAS, "unsupported_data_type"),
        (np.zeros((64, 100, 13), [("R", "u1"), ("G", "u1")]), SAGITTAL_RAS, "colour_image"),
        (np.full((64, 100, 13), 7), SAGITTAL_RAS, "constant_image"),
        (np.full((64, 100, 13), np.nan), SAGITTAL_RAS, "non_finite_voxels"),
        (np.kron(noise((8, 10, 3)) % 20, np.ones((8, 10, 5))), SAGITTAL_RAS, "label_map_given"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_array_or_affine_is_named(
    made: Callable[..., Segmenter], array: np.ndarray, matrix: object, reason: str
) -> None:
    with pytest.raises(InputRejectedError) as caught:
        made().segment(array, matrix)
    assert reason in caught.value.reasons


def test_all_that_is_wrong_is_said_at_once(made: Callable[..., Segmenter]) -> None:
    with pytest.raises(GeometryError) as caught:
        made().segment(np.zeros((4, 5, 6, 2), complex), np.eye(3))
    names = ("not_three_dimensional", "invalid_transform", "complex_image")
    assert caught.value.reasons == names


def test_where_no_spine_is_found_the_place_is_told(made: Callable[..., Segmenter]) -> None:
    with pytest.raises(NoSpineFoundError, match="43 mm left-right, 150 mm head-foot, 96 mm front"):
        made(StubSemanticModel(empty=True)).segment(noise(), SAGITTAL_RAS)


def test_a_few_missing_voxels_are_replaced_and_told(made: Callable[..., Segmenter]) -> None:
    array = noise().astype(float)
    array[:3] = np.nan
    result = made().segment(array, SAGITTAL_RAS)
    assert f"non_finite_voxels_replaced: {3 * 100 * 13}" in result.flags
    assert np.isfinite(result.image).all()
    assert np.isnan(array[:3]).all()  # the caller's array stays as it was


def test_inputs_of_the_other_kind_say_where_they_belong(
    made: Callable[..., Segmenter], tmp_path: Path
) -> None:
    segmenter = made()
    image = save_image(tmp_path / "image.nii")
    cases = [
        (segmenter.segment_file, tmp_path / "absent.nii", "missing_input"),
        (segmenter.segment_file, tmp_path, "not_nifti"),
        (segmenter.segment_dicom, tmp_path / "absent", "missing_input"),
        (segmenter.segment_dicom, image, "not_dicom"),
        (segmenter.segment_dicom, tmp_path, "no_dicom"),
    ]
    for call, path, reason in cases:
        with pytest.raises(UnreadableInputError) as caught:
            call(path)
        assert reason in caught.value.reasons


def test_a_study_without_a_spine_series_is_refused_with_the_reasons(
    made: Callable[..., Segmenter], tmp_path: Path
) -> None:
    make_series(tmp_path, orientation=AXIAL)
    with pytest.raises(SeriesUnsuitableError) as caught:
        made().segment_dicom(tmp_path)
    assert "axial" in caught.value.reasons


def test_a_missing_model_and_an_unknown_device_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusableError, match="no model 'nobody'"):
        Segmenter(semantic="nobody")
    with pytest.raises(ModelUnusableError, match="absent"):
        Segmenter(instance=tmp_path / "absent")
    with pytest.raises(ConfigurationError, match="no device 'tpu'"):
        Segmenter(device="tpu")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        Segmenter(config=tmp_path / "absent.yaml")


def test_a_model_just_trained_is_named_by_its_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "just_trained")
    models = Segmenter(semantic=folder).models
    assert models["semantic"]["name"] == "just_trained"
    assert models["semantic"]["version"] == "not registered"
    assert models["instance"]["name"] == "vertebra_instance_compact"
    assert len(models["semantic"]["digest"]) == 64


def test_progress_is_told_and_an_error_of_the_callback_ends_the_call(
    made: Callable[..., Segmenter],
) -> None:
    told: list[tuple[str, str, float]] = []
    made().segment(noise(), SAGITTAL_RAS, progress=lambda *step: told.append(step))
    steps = list(dict.fromkeys(step for _, step, _ in told))
    assert steps[:2] == ["assemble_volume", "segment_semantic"]
    assert "write_segmentation" not in steps

    def fail(_key: str, step: str, _fraction: float) -> None:
        assert step != "postprocess", "my own mistake"

    with pytest.raises(AssertionError, match="my own mistake"):
        made().segment(noise(), SAGITTAL_RAS, progress=fail)


def test_everything_promised_is_there() -> None:
    assert all(hasattr(spine_node, name) for name in spine_node.__all__)
    assert (ROOT / "spine_node" / "py.typed").is_file()


class EndlessTiles(StubSemanticModel):
    """Presses Ctrl-C, then reports tiles for half a minute unless it is stopped."""

    def segment(
        self,
        volume: Volume,
        progress: Callable[[int, int], None] | None = None,
        *,
        needs_body: bool = False,
    ) -> StubResult:
        assert progress is not None
        os.kill(os.getpid(), signal.SIGINT)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            progress(1, 2)
        return super().segment(volume, progress, needs_body=needs_body)


INTERRUPTED = """
import signal, sys, time
from app.run import models
from spine_node import Segmenter
from tests.unit.spine_node.test_segmenter import SAGITTAL_RAS, EndlessTiles, noise, stub_bundle

# A job in the background of a shell inherits a SIGINT that is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
models.load_models = lambda *_, **__: stub_bundle(EndlessTiles())
segmenter = Segmenter()
for _ in range(5):
    start = time.monotonic()
    try:
        segmenter.segment(noise(), SAGITTAL_RAS)
    except KeyboardInterrupt:
        print("interrupted", time.monotonic() - start < 25)
"""


def test_an_interrupt_ends_a_call_within_a_tile_and_the_process_goes_on() -> None:
    # In a process of its own: a signal is for a whole process, also for one that runs tests.
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", INTERRUPTED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert done.stdout.splitlines() == ["interrupted True"] * 5


def test_calls_from_several_threads_take_their_turns(made: Callable[..., Segmenter]) -> None:
    at_once: list[int] = []
    inside: set[int] = set()

    def enter(_: Volume) -> bool:
        inside.add(threading.get_ident())
        at_once.append(len(inside))
        for _step in range(3):
            time.sleep(0.01)
        inside.clear()
        return False

    segmenter = made(StubSemanticModel(fails_on=enter))
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: segmenter.segment(noise(), SAGITTAL_RAS), range(3)))
    assert at_once == [1, 1, 1]
    assert len({result.semantic.tobytes() for result in results}) == 1
