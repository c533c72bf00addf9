"""The loop resumes, stops in time, repeats itself, and keeps its state small."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest
import torch

from app.errors import ConfigurationError
from app.research.training import loop
from app.research.training.loop import LoopOptions, Training
from app.research.training.presets import Schedule
from app.research.training.weights import plain_weights
from operators.errors import UnreadableInputError


class Line:
    """A phase whose network is one linear layer that must learn y = 2 x + 1."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self.network: torch.nn.Module = torch.nn.Linear(1, 1)
        self.folder = folder
        self.asked: list[int] = []

    def sample(self, number: int) -> float:
        self.asked.append(number)
        return (number % 7) / 7.0

    def refresh(self) -> None:
        """Nothing grows."""

    def answer(self, network: torch.nn.Module, sample: float) -> torch.Tensor:
        return network(torch.tensor([[sample]]))

    def judge(self, logits: torch.Tensor, sample: float) -> tuple[torch.Tensor, torch.Tensor]:
        return ((logits - (2 * sample + 1)) ** 2).mean(), torch.zeros(())

    def validate(self, network: torch.nn.Module) -> dict[str, float]:
        return {"slope": float(network.weight.detach())}

    def export(self, network: torch.nn.Module, step: int) -> None:
        torch.save(plain_weights(network), self.folder / f"{step}.pth")


def options(folder: Path, **changes: object) -> LoopOptions:
    base = LoopOptions(
        state=folder / "state.pt",
        steps=200,
        schedule=Schedule(peak=0.1),
        save_every=100,
        half_precision=False,
    )
    return replace(base, **changes)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
def test_bfloat16_is_taken_only_where_the_device_computes_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, dtype: torch.dtype
) -> None:
    seen: set[torch.dtype] = set()

    class Telling(Line):
        def judge(self, logits: torch.Tensor, sample: float) -> tuple[torch.Tensor, torch.Tensor]:
            seen.add(logits.dtype)
            return super().judge(logits.float(), sample)

    monkeypatch.setattr(loop, "computes_in_bfloat16", lambda _device: precision == "bf16")
    training = Training(Telling(tmp_path), options(tmp_path, steps=2, half_precision=True))
    training.run()
    assert (training.precision, seen) == (precision, {dtype})


def test_200_steps_find_the_line_and_export_at_every_checkpoint(tmp_path: Path) -> None:
    training = Training(Line(tmp_path), options(tmp_path))
    assert training.run() == 200
    assert sorted(p.name for p in tmp_path.glob("*.pth")) == ["100.pth", "200.pth"]
    slope = training.history.validation[-1]["slope"]
    assert slope == pytest.approx(2.0, abs=0.3)
    assert [entry[0] for entry in training.history.losses] == [50, 100, 150, 200]


def test_a_stopped_training_goes_on_where_it_was_with_its_history(tmp_path: Path) -> None:
    stopped = options(tmp_path, stop_after_seconds=0.0)
    assert Training(Line(tmp_path), stopped).run() == 1
    assert Training(Line(tmp_path), stopped).run() == 2
    resumed = Training(Line(tmp_path), options(tmp_path))
    assert resumed.step == 2
    assert len(resumed.history.losses) == 2
    assert resumed.run() == 200


class Killed(BaseException):
    """Ends a training as SIGKILL does: nothing is saved on the way out."""


def killed_at(last: int) -> Callable[..., None]:
    def progress(step: int, *_: object) -> None:
        if step == last:
            raise Killed

    return progress


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_training_killed_at_step_170_ends_with_the_bytes_of_one_that_never_was(
    tmp_path: Path, optimizer: str
) -> None:
    ends = []
    schedule = Schedule(peak=0.1 if optimizer == "adamw" else 1e-3)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        wanted = options(tmp_path / name, optimizer=optimizer, schedule=schedule)
        if name == "killed":
            with pytest.raises(Killed):
                Training(Line(tmp_path / name), wanted).run(killed_at(170))
        training = Training(Line(tmp_path / name), wanted)
        assert training.step == (100 if name == "killed" else 0)
        training.run()
        state = torch.load(wanted.state, weights_only=True)
        ends.append((training.network.weight.item(), training.average.weight.item(), state))
    assert ends[0][:2] == ends[1][:2]
    assert str(ends[0][2]) == str(ends[1][2])


def test_a_training_stopped_between_checkpoints_ends_near_an_uninterrupted_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = Training(Line(tmp_path / "a"), options(tmp_path / "a"))
    whole.run()
    asked = chain([False] * 42, [True])
    assert (
        Training(Line(tmp_path / "b"), options(tmp_path / "b")).run(None, lambda: next(asked)) == 43
    )
    parts = Training(Line(tmp_path / "b"), options(tmp_path / "b"))
    assert parts.step == 43
    assert parts.history.validation == []
    parts.run()
    slopes = [float(t.network.weight.detach()) for t in (parts, whole)]
    assert slopes[0] == pytest.approx(slopes[1], abs=0.05)


def test_a_finished_training_writes_its_model_where_it_is_wanted_now(tmp_path: Path) -> None:
    Training(Line(tmp_path), options(tmp_path, steps=5)).run()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    phase = Line(elsewhere)
    assert Training(phase, options(tmp_path, steps=5)).run() == 5
    assert phase.asked == []
    first, second = (torch.load(f / "5.pth", weights_only=True) for f in (tmp_path, elsewhere))
    assert first["weight"].item() == second["weight"].item()


def test_the_state_of_another_seed_is_refused_and_one_that_names_none_is_not(
    tmp_path: Path,
) -> None:
    Training(Line(tmp_path), options(tmp_path, steps=2, identity={"seed": 1})).run()
    with pytest.raises(ConfigurationError, match="seed is 1 there and 2 here") as raised:
        Training(Line(tmp_path), options(tmp_path, identity={"seed": 2}))
    assert raised.value.reasons == ("other_training",)
    assert Training(Line(tmp_path), options(tmp_path, identity={"preset": "x"})).step == 2


def test_the_state_of_another_network_is_refused_by_name(tmp_path: Path) -> None:
    Training(Line(tmp_path), options(tmp_path, steps=2)).run()
    wider = Line(tmp_path)
    wider.network = torch.nn.Linear(2, 1)
    with pytest.raises(ConfigurationError, match="another network"):
        Training(wider, options(tmp_path))


def test_the_same_seed_gives_the_same_weights_to_the_last_bit(tmp_path: Path) -> None:
    weights = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        training = Training(Line(tmp_path / name), options(tmp_path / name))
        training.run()
        weights.append(float(training.network.weight.detach()))
    assert weights[0] == weights[1]


def test_a_batch_of_3_sees_each_sample_number_once(tmp_path: Path) -> None:
    phase = Line(tmp_path)
    Training(phase, options(tmp_path, steps=4, batch=3, save_every=4)).run()
    assert sorted(phase.asked) == list(range(12))


class Growing(Line):
    """Samples come from a list that every look for new data makes longer."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.known = 1
        self.drawn: dict[int, int] = {}

    def sample(self, number: int) -> float:
        time.sleep(0.0005 * (number % 4))
        self.drawn[number] = self.known
        return (number % (1 + self.known)) / 7.0

    def refresh(self) -> None:
        self.known += 1


@pytest.mark.parametrize("batch", [1, 3])
def test_1_2_and_5_threads_draw_the_same_samples_and_end_with_the_same_bytes(
    tmp_path: Path, batch: int
) -> None:
    ends = []
    for workers in (1, 2, 5):
        folder = tmp_path / str(workers)
        folder.mkdir()
        phase = Growing(folder)
        wanted = options(folder, steps=36, batch=batch, save_every=10, workers=workers)
        Training(phase, wanted).run()
        ends.append((phase.network.weight.item(), phase.drawn))
    assert ends[0] == ends[1] == ends[2]
    # What step 10 needs is drawn before the loop looks for new data there, step 11 after.
    assert [ends[0][1][step * batch] for step in (0, 1, 10, 11, 20, 21, 30, 31)] == [
        *(1, 2, 2, 3, 3, 4, 4, 5)
    ]


@pytest.mark.parametrize("last", [9, 10, 11, 20])
def test_a_training_of_5_threads_stopped_anywhere_draws_on_as_if_it_never_was(
    tmp_path: Path, last: int
) -> None:
    wanted = options(tmp_path, steps=30, save_every=10, workers=5)
    asked = chain([False] * (last - 1), [True])
    first = Line(tmp_path)
    assert Training(first, wanted).run(None, lambda: next(asked)) == last
    second = Line(tmp_path)
    assert Training(second, wanted).run() == 30
    assert sorted(second.asked) == list(range(last, 30))
    assert set(range(last)) <= set(first.asked)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_sample_that_cannot_be_drawn_ends_the_training_at_its_step(
    tmp_path: Path, workers: int
) -> None:
    class Torn(Line):
        def sample(self, number: int) -> float:
            if number == 7:
                raise UnreadableInputError("torn", reasons=("no_training_cases",))
            return super().sample(number)

    training = Training(Torn(tmp_path), options(tmp_path, workers=workers))
    with pytest.raises(UnreadableInputError):
        training.run()
    assert training.step == 7


def test_the_poly_rate_warms_up_and_falls_to_1_percent() -> None:
    schedule = Schedule(peak=1.0)
    assert schedule.rate(0, 1000) == pytest.approx(0.01)
    assert schedule.rate(100, 1000) == pytest.approx(0.9**0.9)
    assert schedule.rate(999, 1000) == pytest.approx(0.01)


def test_the_linear_rate_of_the_paper_goes_from_1e_4_to_1e_6() -> None:
    schedule = Schedule(peak=1e-4, shape="linear", floor=0.01, warm_up=0)
    assert schedule.rate(0, 1000) == pytest.approx(1e-4)
    assert schedule.rate(999, 1000) == pytest.approx(1e-6)
    assert schedule.rate(500, 1001) == pytest.approx(5.05e-5)
