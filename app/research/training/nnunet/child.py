"""nnU-Net's own work, in a process of its own: prepare the data set, or train one fold.

Run by `app.research.training.nnunet.engine` with nnU-Net's folders in the environment:
``python -m app.research.training.nnunet.child prepare PLANS.json`` or ``fold JSON``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import (
    ExperimentPlanner,
)
from nnunetv2.experiment_planning.plan_and_preprocess_api import (
    extract_fingerprint_dataset,
    preprocess_dataset,
)
from nnunetv2.run.run_training import maybe_load_checkpoint, run_training

from app.research.training.nnunet.dataset import DATASET, DATASET_ID
from app.research.training.nnunet.trainers.spine_trainer import PLANS_ENTRY, SpineTrainer
from app.signals import die_with_parent

CONFIGURATION = "3d_fullres"
PLANS_NAME = "nnUNetPlans"


def prepare(wanted: dict[str, Any]) -> None:
    """Fingerprint, plan, preprocess.

    Parameters
    ----------
    wanted : dict
        ``preprocessed`` (folder), ``spacing`` (mm), ``processes``, ``configuration`` (entries that
        replace the planned ones: patch, batch, architecture), ``training`` (for the trainer).
    """
    processes = int(wanted["processes"])
    extract_fingerprint_dataset(DATASET_ID, num_processes=processes)
    planner = ExperimentPlanner(
        DATASET_ID, overwrite_target_spacing=wanted["spacing"], suppress_transpose=True
    )
    planner.plan_experiment()
    file = Path(wanted["preprocessed"]) / DATASET / f"{PLANS_NAME}.json"
    plans = json.loads(file.read_text(encoding="utf-8"))
    planned = plans["configurations"][CONFIGURATION]
    # The paper fixed the patch; nnU-Net's own choice depends on the memory of a GPU it imagines.
    plans["configurations"] = {CONFIGURATION: planned | wanted["configuration"]}
    plans[PLANS_ENTRY] = wanted["training"]
    file.write_text(json.dumps(plans, indent=1), encoding="utf-8")
    preprocess_dataset(DATASET_ID, PLANS_NAME, (CONFIGURATION,), num_processes=(processes,))


def train_fold(wanted: dict[str, Any]) -> None:
    """Train one fold, or go on with it, and validate it on what is held out.

    Parameters
    ----------
    wanted : dict
        ``preprocessed`` (folder), ``fold``, ``gpus``, ``device``, ``resume``.
    """
    fold, resumes = int(wanted["fold"]), bool(wanted["resume"])
    if int(wanted["gpus"]) > 1:
        # By name, in processes that nnU-Net starts: it then imports all of its trainers, some of
        # which need a torchvision that fits this torch.
        run_training(
            DATASET,
            CONFIGURATION,
            fold,
            SpineTrainer.__name__,
            PLANS_NAME,
            num_gpus=int(wanted["gpus"]),
            continue_training=resumes,
        )
        return
    home = Path(wanted["preprocessed"]) / DATASET
    plans = json.loads((home / f"{PLANS_NAME}.json").read_text(encoding="utf-8"))
    described = json.loads((home / "dataset.json").read_text(encoding="utf-8"))
    plans["continue_training"] = resumes
    device = torch.device(wanted["device"])
    trainer = SpineTrainer(plans, CONFIGURATION, fold, described, device)
    maybe_load_checkpoint(trainer, resumes, validation_only=False)
    trainer.run_training()
    trainer.perform_actual_validation()


def main() -> None:
    """Do what the arguments say."""
    die_with_parent()
    what, wanted = sys.argv[1], json.loads(sys.argv[2])
    {"prepare": prepare, "fold": train_fold}[what](wanted)


if __name__ == "__main__":
    main()
