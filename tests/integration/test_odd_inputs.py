"""Odd inputs and wrong options through the command itself, with stand-in networks."""

from __future__ import annotations

import gzip
import json
import sys
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import EnhancedMRImageStorage

from app.cli import main as cli
from app.run.bootstrap import prepare_process
from operators.imaging.nifti_header import read_header
from tests.builders.mr_series import make_series
from tests.builders.nifti_images import SAGITTAL_RAS, noise, save_image
from tests.builders.stub_models import spine_series, stub_bundle

Outcome = tuple[int, dict, str]


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_process()
    from app.run import models  # noqa: PLC0415 - after the process is prepared

    monkeypatch.setattr(models, "load_models", lambda *_, **__: stub_bundle())


@pytest.fixture
def no_inference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes as far as loading networks is right as far as options go."""
    prepare_process()
    from app.run import models  # noqa: PLC0415 - after the process is prepared

    def loaded(*_: object, **__: object) -> None:
        sys.exit(0)

    monkeypatch.setattr(models, "load_models", loaded)


def spine_node(*arguments: str | Path) -> int:
    """Exit code of the command, run in this process as the console script runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["spine-node", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return int(ended.value.code or 0)


def run(source: Path, output: Path, *more: str | Path) -> tuple[int, dict]:
    """Exit code and record of a run."""
    report = output.parent / "record.json"
    code = spine_node("run", "-i", source, "-o", output, "--report", report, "--no-overlay", *more)
    return code, json.loads(report.read_text())


def reasons(record: dict) -> list[str]:
    assert record["error"] is not None
    return record["error"]["reasons"]


def left_right_swapped() -> np.ndarray:
    return np.diag([-1.0, 1, 1, 1]) @ SAGITTAL_RAS


def with_nan(array: np.ndarray, part: slice) -> np.ndarray:
    out = array.astype(np.float32)
    out[part] = np.nan
    return out


def labels() -> np.ndarray:
    voxels = np.zeros((64, 100, 13), np.uint8)
    voxels[20:40, 20:44, 3:10], voxels[20:40, 44:52, 3:10] = 49, 100
    return voxels


REFUSED = {
    "sform mirrored": ({"sform": left_right_swapped()}, 12, "disagreeing_transforms"),
    "sform identity": ({"sform": np.eye(4)}, 12, "disagreeing_transforms"),
    "no transform": ({"sform": None, "qform": None}, 12, "no_transform"),
    "two volumes": ({"array": noise((64, 100, 13, 2))}, 12, "not_three_dimensional"),
    "two axes": ({"array": noise((64, 100))}, 12, "not_three_dimensional"),
    "one slice": ({"array": noise((64, 100, 1))}, 12, "too_few_slices"),
    "complex": ({"array": noise().astype(np.complex64)}, 12, "complex_image"),
    "black": ({"array": noise() * 0}, 12, "constant_image"),
    "constant": ({"array": noise() * 0 + 7}, 12, "constant_image"),
    "all NaN": ({"array": with_nan(noise(), slice(None))}, 12, "non_finite_voxels"),
    "mostly NaN": ({"array": with_nan(noise(), slice(0, 40))}, 12, "non_finite_voxels"),
    "a label map": ({"array": labels()}, 10, "label_map_given"),
}


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("kind", REFUSED)
def test_an_odd_nifti_image_is_refused_by_name_and_nothing_is_written(tmp_path: Path, kind: str):
    options, code, reason = REFUSED[kind]
    image = save_image(tmp_path / "x_T2w.nii.gz", **options)
    got, record = run(image, tmp_path / "out")
    assert (got, reasons(record)) == (code, [reason])
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("stand_ins")
def test_the_masks_of_an_image_with_nan_at_its_edge_lie_as_the_image_says(tmp_path: Path):
    image = save_image(tmp_path / "x_T2w.nii.gz", with_nan(noise(), slice(0, 10)), units="mm")
    code, record = run(image, tmp_path / "out")
    assert code == 0, record["error"]
    assert "non_finite_voxels_replaced: 13000" in record["series"][0]["facts"]
    mask = tmp_path / "out" / "x_mod-T2w_seg-vert_msk.nii.gz"
    before, after = read_header(image), read_header(mask)
    for name in ("qform_code", "sform_code", "srow_x", "srow_y", "srow_z", "quatern_b"):
        np.testing.assert_array_equal(after[name], before[name])
    assert {2, 3, 4} <= set(np.unique(np.asarray(nib.load(mask).dataobj)).tolist())


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("value", [0, 700])
def test_a_dicom_series_of_one_value_answers_12(tmp_path: Path, value: int):
    made = spine_series(tmp_path / "in")
    for path in made.paths:
        content = bytearray(path.read_bytes())
        pixels = np.full(100 * 64, value, "<u2").tobytes()
        content[-len(pixels) :] = pixels
        path.write_bytes(bytes(content))
    code, record = run(tmp_path / "in", tmp_path / "out")
    assert (code, reasons(record)) == (12, ["constant_image"])


@pytest.mark.usefixtures("stand_ins")
def test_two_images_of_one_name_end_in_two_results_or_in_a_refusal(tmp_path: Path):
    out = tmp_path / "out"
    for number, subject in enumerate(("sub-A", "sub-B")):
        image = save_image(tmp_path / subject / "T2w.nii.gz", noise(seed=number))
        assert run(image, out)[0] == 0
    assert len(list(out.glob("sub-[AB]_mod-T2w_seg-vert_msk.nii.gz"))) == 2

    first = save_image(tmp_path / "a" / "x_T2w.nii")
    second = save_image(tmp_path / "b" / "x_T2w.nii.gz", noise(seed=1))
    assert run(first, out)[0] == 0
    kept = {path: path.read_bytes() for path in out.iterdir()}
    code, record = run(second, out)
    assert (code, reasons(record)) == (40, ["result_of_another_image"])
    assert {path: path.read_bytes() for path in out.iterdir()} == kept
    packed = tmp_path / "c" / "x_T2w.nii.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(first.read_bytes()))
    assert run(packed, out)[0] == 0  # the same image: its result replaces itself


@pytest.mark.usefixtures("stand_ins")
def test_what_was_not_read_stands_in_the_record_and_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    spine_series(tmp_path / "in" / "series")
    (tmp_path / "in" / "away").symlink_to(tmp_path)
    (tmp_path / "in" / "gone").symlink_to("nowhere")
    zipfile.ZipFile(tmp_path / "in" / "more.zip", "w").close()
    code, record = run(tmp_path / "in", tmp_path / "out")
    assert code == 0, record["error"]
    assert record["passed_over"] == {"archive": 1, "dangling_link": 1, "link_leaves_input": 1}
    assert "not read: 1 archive, 1 dangling_link, 1 link_leaves_input" in capsys.readouterr().err


@pytest.mark.usefixtures("stand_ins")
def test_one_classic_slice_is_too_few_and_one_enhanced_file_is_a_study(tmp_path: Path):
    made = spine_series(tmp_path / "in")
    code, record = run(made.paths[3], tmp_path / "out")
    assert (code, reasons(record)) == (12, ["too_few_slices"])
    enhanced = spine_series(tmp_path / "enhanced", sop_class=EnhancedMRImageStorage)
    (file,) = enhanced.paths
    assert run(file, tmp_path / "out")[0] == 0


def folder_of(tmp_path: Path) -> dict[str, Path]:
    """Paths that a person may give by mistake, by what they are."""
    (tmp_path / "folder").mkdir()
    make_series(tmp_path / "study", slices=5)
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "bytes").write_bytes(bytes(range(256)))
    (tmp_path / "list.yaml").write_text("- a\n")
    (tmp_path / "nul.yaml").write_text(
        'application: {title: x, version: 0.1.0}\nmodels: {directory: "a\\0b"}\n'
    )
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "registry.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "odd" / "inference_config.json").write_text('{"modality": 5}')
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    save_image(tmp_path / "image.nii.gz")
    save_image(tmp_path / "mask.nii.gz", labels())
    (tmp_path / "gone").symlink_to("nowhere")
    (tmp_path / "self").symlink_to("self")
    names = sorted(path.name for path in tmp_path.iterdir())
    paths = {name: tmp_path / name for name in names}
    return paths | {
        "missing": tmp_path / "no" / "such",
        "in a file": tmp_path / "text.txt" / "x",
        "long": tmp_path / ("x" * 300),
        "nothing": Path(),
    }


PATH_OPTIONS = {
    "run": ("-i", "-o", "--models", "--semantic-mask", "--report", "--config"),
    "explain": ("",),
    "cohort": ("", "-o"),
    "evaluate": (
        *("--prediction", "--reference", "-o", "--against"),
        *("--labels", "--reference-labels"),
    ),
    "annotate": ("", "--recipe", "-o"),
    "send": ("",),
    "models list": ("-m",),
    "models verify": ("-m",),
    "models install": ("", "-m"),
    "models register": ("", "-m"),
    "check-config": ("--config",),
    "describe": ("--config",),
    "manifests": ("-o", "--config"),
}
FURTHER = {
    "cohort": ("--dry-run",),
    "send": ("--to", "NOBODY"),
    "models register": ("--version", "1", "--licence", "x", "--provenance", "y"),
}
WORDS = st.sampled_from(["", "x" * 300, "..", ".", "a/b", "-1", "nan", "\udcff", "1e99", "ä"])


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return folder_of(tmp_path_factory.mktemp("places"))


@pytest.mark.usefixtures("no_inference")
@given(data=st.data())
@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_combination_of_options_and_wrong_values_is_an_internal_error(
    tmp_path: Path,
    places: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    data: st.DataObject,
):
    command = data.draw(st.sampled_from(sorted(PATH_OPTIONS)))
    arguments = [*command.split(), *FURTHER.get(command, ())]
    kept = snapshot(places)
    for option in PATH_OPTIONS[command]:
        name = data.draw(st.sampled_from([*sorted(places), "out"]))
        value = str(places.get(name, tmp_path / "out")) if name != "nothing" else ""
        if command in {"models register", "models install"} and option == "":
            value = data.draw(WORDS | st.just(value))
        if writes(command, option) and name in {"folder", "odd", "study"}:
            value = str(tmp_path / "out")
        arguments += [option, value] if option else [value]
    code = spine_node(*arguments)
    said = capsys.readouterr()
    assert code not in {1, 70}, (arguments, said.err)
    assert code == 0 or said.err.strip() or said.out.strip()
    assert snapshot(places) == kept


def writes(command: str, option: str) -> bool:
    return option == "-o" or command in {"models install", "models register"}


def snapshot(places: dict[str, Path]) -> dict[str, bytes]:
    """Content of what was there before; no command may change what it was given to read."""
    names = ("text.txt", "bytes", "image.nii.gz", "mask.nii.gz", "list.yaml", "empty.zip")
    return {name: places[name].read_bytes() for name in names}


@pytest.mark.parametrize(
    "case",
    [
        (("--report", "{tmp}/no/r.json"), 40, "--report"),
        (("--report", "{tmp}"), 40, "--report"),
        (("--report", "{image}"), 2, "overwrite the input"),
        (("--semantic-mask", "{image}"), 10, "--semantic-mask"),
        (("--semantic-mask", "{tmp}/no"), 10, "--semantic-mask"),
        (("-o", ""), 2, "argument is empty"),
        (("--semantic", "x" * 300), 2, "too long"),
        (("--semantic", ".."), 20, "inference config"),
    ],
)
def test_a_wrong_value_is_named_before_anything_is_loaded(
    tmp_path: Path, case: tuple[tuple[str, str], int, str], capsys: pytest.CaptureFixture[str]
):
    more, code, word = case
    image = save_image(tmp_path / "x_T2w.nii")
    before = image.read_bytes()
    told = [part.format(tmp=tmp_path, image=image) for part in more]
    assert spine_node("run", "-i", image, "-o", tmp_path / "out", *told) == code
    assert word in capsys.readouterr().err
    assert image.read_bytes() == before
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("stand_ins")
def test_a_missing_input_and_an_output_that_is_a_file_stand_in_the_record(tmp_path: Path):
    image = save_image(tmp_path / "x_T2w.nii")
    code, record = run(tmp_path / "no", tmp_path / "out")
    assert (code, reasons(record)) == (10, ["missing_input"])
    code, record = run(image, tmp_path / "x_T2w.nii")
    assert (code, reasons(record)) == (40, ["output_unwritable"])


@pytest.mark.skipif("__import__('torch').cuda.is_available()")
def test_cuda_without_a_gpu_answers_2_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = tmp_path / "app.yaml"
    config.write_text("application: {title: x, version: 0.1.0}\ninference: {device: cuda}\n")
    image = save_image(tmp_path / "x_T2w.nii")
    assert spine_node("run", "-i", image, "-o", tmp_path / "out", "--config", config) == 2
    assert "inference.device" in capsys.readouterr().err


def test_bf16_on_a_processor_without_it_answers_2_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("operators.networks.precision.computes_in_bfloat16", lambda _device: False)
    config = tmp_path / "app.yaml"
    inference = "{device: cpu, precision: bf16}"
    config.write_text(f"application: {{title: x, version: 0.1.0}}\ninference: {inference}\n")
    image = save_image(tmp_path / "x_T2w.nii")
    assert spine_node("run", "-i", image, "-o", tmp_path / "out", "--config", config) == 2
    assert "inference.precision" in capsys.readouterr().err


def test_openvino_for_what_it_is_not_meant_for_answers_2_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.run.models._device", lambda _asked: "cuda")
    config = tmp_path / "app.yaml"
    inference = "{device: cuda, engine: openvino}"
    config.write_text(f"application: {{title: x, version: 0.1.0}}\ninference: {inference}\n")
    image = save_image(tmp_path / "x_T2w.nii")
    assert spine_node("run", "-i", image, "-o", tmp_path / "out", "--config", config) == 2
    assert "inference.engine" in capsys.readouterr().err


@pytest.mark.usefixtures("stand_ins")
def test_a_record_in_the_output_folder_is_written_also_for_a_refusal(tmp_path: Path):
    image = save_image(tmp_path / "x_T2w.nii", noise() * 0)
    report = tmp_path / "out" / "record.json"
    assert spine_node("run", "-i", image, "-o", tmp_path / "out", "--report", report) == 12
    assert json.loads(report.read_text())["exit_code"] == 12
