"""Training with checkpoints: a run that was stopped goes on where it was."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx

from hw.common.errors import InputError
from hw.common.files import write_bytes
from hw.common.progress import task
from models.data import Labelled
from models.training.augmentation import moved_and_mirrored
from models.training.graph_module import graph_module, trained
from models.training.recipes import ADAMW, BFLOAT16, FLOAT32, Recipe


def natural_precision(device: str) -> str:
    """Return `bfloat16` where the device multiplies matrices of it: a GPU, or a CPU with AMX."""
    import torch

    has_products = device == "cuda" or torch.cpu.get_capabilities().get("amx_bf16", False)
    return BFLOAT16 if has_products else FLOAT32


def _optimiser(recipe: Recipe, parameters: Sequence[Any]) -> Any:
    import torch

    # Scales behind a normalisation and biases do nothing for generalisation.
    groups = [{"params": [value for value in parameters if value.ndim > 1],
               "weight_decay": recipe.weight_decay},
              {"params": [value for value in parameters if value.ndim == 1], "weight_decay": 0.0}]
    if recipe.optimiser == ADAMW:
        return torch.optim.AdamW(groups, lr=recipe.peak_rate, betas=(recipe.momentum, 0.999))
    return torch.optim.SGD(groups, lr=recipe.peak_rate, momentum=recipe.momentum, nesterov=True)


class Training:
    """A network being trained by a recipe.

    Parameters
    ----------
    model : onnx.ModelProto
        With the weights to begin with.
    recipe : Recipe
    data : Labelled
        Training images as the network takes them.
    seed : int
        Of the order of the images and their augmentation.
    device : str
        `cpu` or `cuda`.
    precision : str, optional
        Of `recipes.PRECISIONS`; `bfloat16` where that is precise enough (autocast). Default: that
        of `natural_precision`.
    """

    def __init__(self, model: onnx.ModelProto, recipe: Recipe, data: Labelled, *, seed: int = 0,
                 device: str = "cpu", precision: str | None = None) -> None:
        import torch

        self._model, self.recipe, self._seed, self._device = model, recipe, seed, device
        self.precision = precision or natural_precision(device)
        self._images = torch.from_numpy(data.images).to(device)
        self._labels = torch.from_numpy(data.labels).to(device)
        self._module = graph_module(model).to(device, memory_format=torch.channels_last)
        self._optimiser = _optimiser(recipe, list(self._module.parameters()))
        self._steps = -(-len(data.labels) // recipe.batch)  # of an epoch
        self._schedule: Any = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, recipe.peak_rate, total_steps=recipe.epochs * self._steps,
            cycle_momentum=recipe.optimiser != ADAMW)
        # The epoch after which another number of epochs than planned was asked for.
        self.replanned: int | None = None
        self._generator = torch.Generator().manual_seed(seed)
        self.epoch = 0

    def run(self, checkpoint: Path, *, quiet: bool = False,
            after_epoch: Callable[[int], None] = lambda _epoch: None) -> None:
        """Train to the end, from `checkpoint` where that exists; it is replaced every epoch.

        Where the checkpoint is of another number of epochs the rate falls along a cosine from what
        it is to 0 at the new end. Raises InputError if it is of another recipe, seed or network, or
        of more epochs than are asked for.
        """
        if checkpoint.exists():
            self._load(checkpoint)
        left = self.recipe.epochs - self.epoch
        with task(f"training, epoch {self.epoch + 1} to {self.recipe.epochs}", left,
                  quiet=quiet) as progress:
            while self.epoch < self.recipe.epochs:
                loss = self._epoch()
                self.epoch += 1
                self._save(checkpoint)
                progress.advance(note=f"loss {loss:.3f}")
                after_epoch(self.epoch)

    def network(self) -> onnx.ModelProto:
        """Return the network as trained so far."""
        return trained(self._model, self._module.eval())

    def _epoch(self) -> float:
        """Go once over the images; return the mean loss."""
        import torch
        from torch.nn import functional

        self._module.train()
        order = torch.randperm(len(self._labels), generator=self._generator)
        total = torch.zeros((), device=self._device)
        for chosen in order.split(self.recipe.batch):
            there = chosen.to(self._device)
            # Channels last: three quarters of the time of channels first, on a CPU too.
            images = moved_and_mirrored(self._images[there], self.recipe.crop_pixels,
                                        self._generator
                                        ).contiguous(memory_format=torch.channels_last)
            with torch.autocast(self._device, torch.bfloat16,
                                enabled=self.precision == BFLOAT16):
                logits = self._module(images)
            loss = functional.cross_entropy(logits.float(), self._labels[there],
                                            label_smoothing=self.recipe.label_smoothing)
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            self._schedule.step()
            total += loss.detach() * len(chosen)
        mean = float(total) / len(self._labels)
        if mean != mean:  # noqa: PLR0124 - not a number
            raise InputError(f"Training must converge, but the loss of epoch {self.epoch + 1} is "
                             f"no number; a smaller --rate than {self.recipe.peak_rate:g} may help")
        return mean

    # --- checkpoints ---

    def _replan(self, epoch: int) -> None:
        """Let the rate fall from what it is after `epoch` epochs to 0 at the end."""
        import torch

        self.replanned = epoch
        for group in self._optimiser.param_groups:
            group["initial_lr"] = group["lr"]
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self._optimiser, (self.recipe.epochs - epoch) * self._steps)

    @property
    def _settings(self) -> dict[str, Any]:
        recipe = self.recipe.to_dict()
        del recipe["epochs"]
        return {"recipe": recipe, "precision": self.precision, "seed": self._seed,
                "images": len(self._labels),
                "layers": [node.name for node in self._model.graph.node]}

    def _save(self, path: Path) -> None:
        import torch

        content = io.BytesIO()
        torch.save({"settings": self._settings, "epoch": self.epoch,
                    "epochs": self.recipe.epochs, "replanned": self.replanned,
                    "module": self._module.state_dict(),
                    "optimiser": self._optimiser.state_dict(),
                    "schedule": self._schedule.state_dict(),
                    "generator": self._generator.get_state()}, content)
        write_bytes(path, content.getvalue())

    def _load(self, path: Path) -> None:
        import torch

        try:
            kept = torch.load(path, map_location="cpu", weights_only=True)
            settings, epochs = kept["settings"], kept["epochs"]
        except Exception as error:  # whatever a damaged file makes torch raise
            raise InputError(f"{path}: no checkpoint of a training ({type(error).__name__}); "
                             "remove it to start again") from None
        if settings != self._settings:
            differing = [name for name, value in self._settings.items()
                         if settings.get(name) != value]
            raise InputError(f"{path}: checkpoint must be of this training, but differs in "
                             f"{', '.join(differing)}; remove it to start again")
        self._module.load_state_dict(kept["module"])
        self.epoch = kept["epoch"]
        if self.epoch > self.recipe.epochs:
            raise InputError(f"{path}: checkpoint must be of at most {self.recipe.epochs} epochs, "
                             f"not {self.epoch}; remove it to start again")
        self._optimiser.load_state_dict(kept["optimiser"])
        if epochs != self.recipe.epochs:
            self._replan(self.epoch)
        else:
            if kept["replanned"] is not None:
                self._replan(kept["replanned"])
            self._schedule.load_state_dict(kept["schedule"])
        self._generator.set_state(kept["generator"])
