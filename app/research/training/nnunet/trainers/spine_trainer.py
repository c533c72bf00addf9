"""nnU-Net's trainer as the paper used it; nnU-Net looks for it in this folder by its name.

It may import nothing of `app`: nnU-Net loads this file alone, in every process of a training.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerNoMirroring import (
    nnUNetTrainerNoMirroring,
)

PLANS_ENTRY = "spine_training"


class SpineTrainer(nnUNetTrainerNoMirroring):  # type: ignore[misc] # nnU-Net has no types
    """No mirroring (left and right are different structures); a state after every epoch.

    The plans' entry `PLANS_ENTRY` says ``epochs`` and ``batches`` per epoch, because nnU-Net
    hands nothing else to the processes of a training on several GPUs.
    """

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device | None = None,
    ) -> None:
        """Take nnU-Net's own arguments, which it reads off this signature and keeps by name."""
        device = device or torch.device("cuda")
        super().__init__(plans, configuration, fold, dataset_json, device)
        wanted = self.plans_manager.plans[PLANS_ENTRY]
        self.num_epochs = int(wanted["epochs"])
        self.num_iterations_per_epoch = int(wanted["batches"])
        # nnU-Net validates a fifth as many batches as it trains.
        self.num_val_iterations_per_epoch = max(1, self.num_iterations_per_epoch // 5)
        self.save_every = 1

    def save_checkpoint(self, filename: str) -> None:
        """Write a checkpoint that is there whole or not at all: a training may be killed."""
        if self.local_rank == 0:
            partial = Path(f"{filename}.part")
            super().save_checkpoint(str(partial))
            if partial.exists():
                partial.replace(filename)

    def on_epoch_end(self) -> None:
        """Say how far it is."""
        super().on_epoch_end()
        if self.local_rank == 0:
            told = {"epoch": self.current_epoch, "epochs": self.num_epochs}
            partial = Path(self.output_folder) / "progress.part"
            partial.write_text(json.dumps(told), encoding="utf-8")
            partial.replace(partial.with_suffix(".json"))
