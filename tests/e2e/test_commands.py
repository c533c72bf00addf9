"""The installed commands as other processes start them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.stub_models import spine_series

ROOT = Path(__file__).resolve().parents[2]
SPINE_NODE = str(Path(sys.executable).with_name("spine-node"))


def call(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HOLOSCAN_")}
    return subprocess.run(
        [str(part) for part in arguments],
        cwd=cwd,
        env=clean | {"OMP_NUM_THREADS": "2"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def spine_node(*arguments: str | Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return call(SPINE_NODE, *arguments, cwd=cwd)


def map_run(tmp_path: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    folders = {
        "HOLOSCAN_INPUT_PATH": str(tmp_path / "in"),
        "HOLOSCAN_OUTPUT_PATH": str(tmp_path / "out"),
    }
    return call(sys.executable, "-W", "ignore", *command, cwd=ROOT, **(folders | environment))


def test_describe_names_versions_models_and_exit_codes() -> None:
    document = json.loads(spine_node("describe", "--json").stdout)
    assert document["software"]["torch"].startswith("2.")
    assert len(document["models"]) >= 2
    assert document["capabilities"]["exit_codes"]["no_spine"] == 13


def test_check_config_accepts_the_repositorys_own() -> None:
    done = spine_node("check-config")
    assert (done.returncode, "valid" in done.stdout) == (0, True)


def test_check_config_refuses_an_unknown_key_with_2(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text("application: {title: T, version: 1.0.0}\nwhat: 1\n")
    done = spine_node("check-config", "--config", tmp_path / "app.yaml")
    assert done.returncode == 2
    assert "what" in done.stderr


def test_models_list_and_verify() -> None:
    listed = json.loads(spine_node("models", "list", "--json").stdout)
    assert {entry["kind"] for entry in listed.values()} == {"semantic", "instance"}
    assert all(entry["licence"] and entry["provenance"] for entry in listed.values())
    assert spine_node("models", "verify").returncode == 0


def test_models_install_refuses_what_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "inference_config.json").write_text('{"modality": "T2w"}')
    shutil.make_archive(str(tmp_path / "bad"), "zip", tmp_path / "m")
    done = spine_node("models", "install", tmp_path / "bad.zip", "--models", tmp_path / "models")
    assert done.returncode == 20
    assert not (tmp_path / "models" / "bad").exists()
    assert (
        json.loads(spine_node("models", "list", "-m", tmp_path / "models", "--json").stdout) == {}
    )


def test_a_bundled_model_zipped_and_installed_again_loads(tmp_path: Path) -> None:
    listed = json.loads(spine_node("models", "list", "--json").stdout)
    name = next(key for key, entry in listed.items() if entry["kind"] == "instance")
    shutil.make_archive(str(tmp_path / "again"), "zip", ROOT / "models", name)
    done = spine_node("models", "install", tmp_path / "again.zip", "--models", tmp_path / "models")
    assert done.returncode == 0, done.stderr
    assert spine_node("models", "verify", "--models", tmp_path / "models").returncode == 0


def test_a_trained_folder_is_registered_and_a_later_change_noticed(tmp_path: Path) -> None:
    listed = json.loads(spine_node("models", "list", "--json").stdout)
    name = next(key for key, entry in listed.items() if entry["kind"] == "instance")
    shutil.copytree(ROOT / "models" / name, tmp_path / "mine")
    words = ("--version", "1", "--licence", "MIT", "--provenance", "a test")
    done = spine_node("models", "register", "mine", *words, "--models", tmp_path)
    assert done.returncode == 0, done.stderr
    assert spine_node("models", "verify", "--models", tmp_path).returncode == 0
    (tmp_path / "mine" / "inference_config.json").write_text("{}")
    assert spine_node("models", "verify", "--models", tmp_path).returncode == 20


def test_explain_gives_a_json_list_with_reasons(tmp_path: Path) -> None:
    spine_series(tmp_path / "t2")
    spine_series(tmp_path / "t1", name="T1", echo_times=(9.0,), tags={"RepetitionTime": 500.0})
    rows = json.loads(spine_node("explain", tmp_path, "--json").stdout)
    assert sorted(row["accepted"] for row in rows) == [False, True]
    assert {"series_uid", "study_uid", "description", "accepted", "reasons"} <= set(rows[0])
    assert all(row["reasons"] for row in rows)


def test_no_patient_data_reaches_standard_error(tmp_path: Path) -> None:
    tags = {"PatientName": "CANARY^NAME", "PatientID": "CANARY-ID", "StudyID": "CANARY-STUDY"}
    made = spine_series(tmp_path / "CANARYPATH", tags=tags, missing=(5,))
    broken = made.paths[0].read_bytes()
    made.paths[0].write_bytes(broken[: len(broken) // 3])
    done = spine_node("run", "-i", tmp_path / "CANARYPATH", "-o", tmp_path / "out")
    assert done.returncode == 12
    assert "CANARY" not in done.stderr


def test_run_without_a_suitable_series_answers_11(tmp_path: Path) -> None:
    spine_series(tmp_path / "in", echo_times=(9.0,), tags={"RepetitionTime": 500.0})
    done = spine_node("run", "-i", tmp_path / "in", "-o", tmp_path / "out")
    assert done.returncode == 11
    assert not (tmp_path / "out").exists()


def test_run_with_an_unknown_model_answers_20_before_anything_else(tmp_path: Path) -> None:
    spine_series(tmp_path / "in")
    done = spine_node("run", "-i", tmp_path / "in", "-o", tmp_path / "out", "--semantic", "nope")
    assert done.returncode == 20
    assert "registered" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_option_answers_2(tmp_path: Path) -> None:
    assert spine_node("run", "--what", tmp_path).returncode == 2


@pytest.mark.parametrize("command", [("-m", "app"), (str(ROOT / "app"),)])
def test_the_map_entry_without_a_suitable_series_is_a_success_with_the_reason(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    spine_series(tmp_path / "in", echo_times=(9.0,), tags={"RepetitionTime": 500.0})
    (tmp_path / "logs").mkdir()
    done = map_run(tmp_path, *command, HOLOSCAN_LOGS_PATH=str(tmp_path / "logs"))
    assert done.returncode == 0, done.stderr
    assert "SPN-1100" in done.stderr
    record = json.loads((tmp_path / "logs" / "result.json").read_text())
    assert record["status"] == "no_series"
    assert not (tmp_path / "out").exists()


def test_the_map_entry_answers_11_where_the_site_wants_the_code(tmp_path: Path) -> None:
    spine_series(tmp_path / "in", echo_times=(9.0,), tags={"RepetitionTime": 500.0})
    text = (ROOT / "app.yaml").read_text().replace("on_no_series: success", "on_no_series: code")
    (tmp_path / "app.yaml").write_text(text)
    done = map_run(tmp_path, "-m", "app", HOLOSCAN_CONFIG_PATH=str(tmp_path / "app.yaml"))
    assert done.returncode == 11, done.stderr


def test_the_map_entry_with_a_broken_app_yaml_answers_2(tmp_path: Path) -> None:
    spine_series(tmp_path / "in")
    (tmp_path / "app.yaml").write_text("application: [\n")
    done = map_run(tmp_path, "-m", "app", HOLOSCAN_CONFIG_PATH=str(tmp_path / "app.yaml"))
    assert done.returncode == 2
    assert not (tmp_path / "out").exists()


def test_an_empty_input_answers_10(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    assert map_run(tmp_path, "-m", "app").returncode == 10


@pytest.mark.slow
def test_a_synthetic_study_is_segmented_and_only_its_t2w_series(tmp_path: Path) -> None:
    assert spine_node("synthesize", "-o", tmp_path / "in", "--seed", "7").returncode == 0
    report = tmp_path / "record.json"
    done = spine_node(
        "run", "-i", tmp_path / "in", "-o", tmp_path / "out", "--report", report, "--json"
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    steps = {line["step"] for line in lines if line["event"] == "progress"}
    assert {"segment_semantic", "segment_instances", "write_segmentation"} <= steps
    tiles = [line for line in lines if line.get("step") == "segment_semantic"]
    assert len(tiles) > 3  # per tile, not only start and end
    record = json.loads(report.read_text())
    assert record == {k: v for k, v in lines[-1].items() if k != "event"}
    assert [row["accepted"] for row in record["decisions"]].count(True) == 1
    entry = record["series"][0]
    assert entry["vertebrae"] >= 4
    assert {"corpus", "disc", "canal"} <= set(entry["volumes_ml"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(entry["files"])


@pytest.mark.slow
def test_sigterm_during_inference_answers_75_and_leaves_the_output_empty(tmp_path: Path) -> None:
    spine_node("synthesize", "-o", tmp_path / "in", "--seed", "8")
    (tmp_path / "out").mkdir()
    command = [SPINE_NODE, "run", "-i", tmp_path / "in", "-o", tmp_path / "out", "--json"]
    with subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if '"segment_semantic"' in line:
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        process.wait(timeout=120)
    assert process.returncode == 75
    assert json.loads(rest.splitlines()[-1])["status"] == "interrupted"
    assert list((tmp_path / "out").iterdir()) == []


def test_help_lists_every_command_under_a_heading() -> None:
    done = spine_node("--help")
    headings = ["One study", "The PACS node", "Research", "This installation"]
    places = [done.stdout.index(f"─ {heading} ─") for heading in headings]
    assert places == sorted(places)
    assert "─ Commands ─" not in done.stdout
