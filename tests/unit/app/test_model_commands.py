"""``spine-node train``: what the options become, and what a wrong one says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.training import runs
from app.training.runs import Listener, Request

RUN = CliRunner()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Request]:
    requests: list[Request] = []

    def train(request: Request, listener: Listener) -> list[Path]:
        requests.append(request)
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
    assert (request.spines, request.steps, request.fold, request.seed) == (400, None, None, 2026)
    assert "semantic-report.json" in result.output


def test_a_data_set_alone_trains_on_real_images_and_a_mix_on_both(asked: list[Request]) -> None:
    RUN.invoke(app, ["train", "instance", "-o", "m", "--dataset", "data"])
    options = ["--spider", "data", "--mix", "real=1,synthetic=2", "--preset", "paper"]
    RUN.invoke(app, ["train", "semantic", "-o", "m", *options, "--fold", "1", "--minutes", "2"])
    first, second = asked
    assert first.dataset is not None
    assert (first.phase, first.dataset.kind, first.mix) == ("instance", "bids", {"real": 1.0})
    assert second.dataset is not None
    assert (second.dataset.kind, second.mix) == ("spider", {"real": 1.0, "synthetic": 2.0})
    assert (second.preset, second.fold, second.stop_after_seconds) == ("paper", 1, 120.0)


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
        (["--mix", "real=0,synthetic=0"], "--mix"),
        (["--mix", "ct=1"], "--mix"),
        (["--dataset", "a", "--spider", "b"], "--spider"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_trained(
    options: list[str], hint: str, asked: list[Request]
) -> None:
    result = RUN.invoke(app, ["train", "semantic", "-o", "model", *options])
    assert result.exit_code == 2
    assert hint in result.output
    assert asked == []
