"""``spine-node train``: what the options become, and what a wrong one says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from app.cli.main import app
from app.registry import RegisteredModel, register_model
from app.research.training import runs
from app.research.training.request import Request
from app.research.training.sources import Listener
from operators.errors import ModelUnusableError

RUN = CliRunner()
REPOSITORY = Path(__file__).parents[4]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Request]:
    requests: list[Request] = []

    def train(request: Request, listener: Listener, stop: Callable[[], bool]) -> list[Path]:
        requests.append(request)
        assert not stop()
        listener.step(0, 1, 1, 0.5, 0.25)
        return [tmp_path / "semantic-report.json"]

    monkeypatch.setattr(runs, "train", train)
    return requests


def test_without_a_data_set_the_training_is_synthetic(asked: list[Request]) -> None:
    result = RUN.invoke(app, ["train", "semantic", "-o", "model"])
    assert result.exit_code == 0, result.output
    request = asked[0]
    assert (request.phase, request.preset, request.mix) == (
        "semantic",
        "compact",
        {"synthetic": 1.0},
    )
    assert (request.spines, request.steps, request.fold, request.seed) == (1000, None, None, 2026)
    assert "semantic-report.json" in result.output
    assert "model: model; try it: spine-node run --semantic" in result.output


def test_a_data_set_alone_trains_on_real_images_and_a_mix_on_both(asked: list[Request]) -> None:
    RUN.invoke(app, ["train", "instance", "-o", "m", "--dataset", "data"])
    options = ["--spider", "data", "--mix", "real=1,synthetic=2", "--preset", "paper"]
    RUN.invoke(app, ["train", "semantic", "-o", "m", *options, "--fold", "1", "--minutes", "2"])
    first, second = asked
    assert (first.phase, first.datasets[0].kind, first.mix) == ("instance", "bids", {"real": 1.0})
    assert (second.datasets[0].kind, second.mix) == ("spider", {"spider": 1.0, "synthetic": 2.0})
    assert (second.preset, second.fold, second.stop_after_seconds) == ("paper", 1, 120.0)
    assert first.hold_out == second.hold_out == frozenset()


@pytest.mark.parametrize("phase", ["semantic", "instance"])
def test_subjects_to_hold_out_are_named_with_commas(asked: list[Request], phase: str) -> None:
    options = ["--dataset", "data", "--hold-out", "sub-01, 034"]
    result = RUN.invoke(app, ["train", phase, "-o", "m", *options])
    assert result.exit_code == 0, result.output
    assert asked[0].hold_out == {"sub-01", "034"}


def test_automatic_and_manual_annotations_are_mixed_by_their_names(asked: list[Request]) -> None:
    named = ["--dataset", "automatic=a", "--dataset", "manual=b", "--spider", "c"]
    mix = ["--mix", "automatic=1,manual=3,spider=0.5"]
    RUN.invoke(app, ["train", "semantic", "-o", "m", *named, *mix, "--folds", "3"])
    RUN.invoke(app, ["train", "semantic", "-o", "m", *named])
    first, second = asked
    assert [(s.name, str(s.folder), s.kind) for s in first.datasets] == [
        ("automatic", "a", "bids"),
        ("manual", "b", "bids"),
        ("spider", "c", "spider"),
    ]
    assert first.mix == {"automatic": 1.0, "manual": 3.0, "spider": 0.5}
    assert first.count_of_folds == 3
    assert second.mix == {"automatic": 1.0, "manual": 1.0, "spider": 1.0}


def test_a_folder_with_an_equals_sign_is_a_folder(
    asked: list[Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site=a").mkdir()
    monkeypatch.chdir(tmp_path)
    RUN.invoke(app, ["train", "semantic", "-o", "m", "--dataset", "site=a"])
    assert (asked[0].datasets[0].name, str(asked[0].datasets[0].folder)) == ("real", "site=a")


ASKED_TO_END = """
import os, signal, sys, time, types

def train(request, listener, stop):
    os.kill(os.getpid(), signal.SIGTERM)
    deadline = time.monotonic() + 20
    while not stop() and time.monotonic() < deadline:
        time.sleep(0.01)
    return ["half-a-report.json"]

sys.modules["app.research.training.runs"] = types.SimpleNamespace(train=train)
sys.argv = ["spine-node", "train", "semantic", "-o", "model"]
from app.cli.main import main
main()
"""


def test_a_training_that_is_asked_to_end_answers_75_with_its_reports(tmp_path: Path) -> None:
    # A process of its own: threads of earlier tests would take the signal.
    ended = subprocess.run(
        [sys.executable, "-c", ASKED_TO_END],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 75, ended.stderr
    assert "half-a-report.json" in ended.stdout


@pytest.mark.parametrize("phase", ["semantic", "instance"])
def test_threads_that_draw_samples_are_the_loop_s_choice_unless_given(
    phase: str, asked: list[Request]
) -> None:
    assert RUN.invoke(app, ["train", phase, "-o", "model"]).exit_code == 0
    assert RUN.invoke(app, ["train", phase, "-o", "model", "--workers", "6"]).exit_code == 0
    assert [request.workers for request in asked] == [None, 6]


def test_the_model_that_predicts_label_maps_is_a_name_or_a_folder(
    asked: list[Request], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "app.yaml"
    document = yaml.safe_load((REPOSITORY / "app.yaml").read_text(encoding="utf-8"))
    document["models"]["directory"] = str(tmp_path / "shelf")
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    monkeypatch.setenv("HOLOSCAN_CONFIG_PATH", str(config))
    for folder in ("shelf/named", "own"):
        (tmp_path / folder).mkdir(parents=True)
    entry = RegisteredModel(kind="semantic", version="1", licence="x", provenance="x", files={})
    register_model(tmp_path / "shelf", "named", entry)
    command = ["train", "instance", "-o", "m"]
    for value in ("named", str(tmp_path / "own")):
        result = RUN.invoke(app, [*command, "--predicted-by", value])
        assert result.exit_code == 0, result.output
    RUN.invoke(app, command)
    found = [request.predicted_by for request in asked]
    assert found == [tmp_path / "shelf" / "named", tmp_path / "own", None]
    refused = RUN.invoke(app, [*command, "--predicted-by", "absent"])
    assert isinstance(refused.exception, ModelUnusableError)
    assert refused.exception.reasons == ("unknown_model",)
    assert len(asked) == 3


def test_machines_get_json_lines(asked: list[Request]) -> None:
    result = RUN.invoke(app, ["train", "semantic", "-o", "model", "--json"])
    events = [json.loads(line)["event"] for line in result.stdout.splitlines()]
    assert events == ["step", "result"]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--preset", "huge"], "--preset"),
        (["--mix", "real=one"], "--mix"),
        (["--mix", "real=nan"], "--mix"),
        (["--mix", "real=inf,synthetic=1"], "--mix"),
        (["--mix", "real=0,synthetic=0"], "--mix"),
        (["--mix", "ct=1"], "--mix"),
        (["--mix", "manual=1", "--dataset", "automatic=a"], "--mix"),
        (["--dataset", "a", "--dataset", "b"], "--dataset"),
        (["--dataset", "synthetic=a"], "--dataset"),
        (["--minutes", "-1"], "--minutes"),
        (["--folds", "0"], "--folds"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_trained(
    options: list[str], hint: str, asked: list[Request]
) -> None:
    result = RUN.invoke(app, ["train", "semantic", "-o", "model", *options])
    assert result.exit_code == 2
    assert hint in result.output
    assert asked == []
