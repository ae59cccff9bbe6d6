"""Fit a student to labelled frames by gradient descent; :mod:`vitrion.distill.train.fit` starts it.

    python -m vitrion.distill.train.fit_program BEGIN DEVICE RANK RANKS PARENT

BEGIN is the model with the initial weights, in the folder of the fit.
Several processes share each step: every one takes a part of its frames, and gradients are summed.
A checkpoint is written after each epoch; a restarted program resumes there.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed

from vitrion.distill.data.frames import read_frames
from vitrion.distill.train.fit import CPU, FRAMES, SETTINGS, STATE, fitted_file
from vitrion.distill.train.fit_batches import epoch_order, frame_batches, join
from vitrion.distill.train.fit_loss import batch_loss
from vitrion.distill.train.fit_model import load_model, save_model
from vitrion.distill.train.fit_settings import FitSettings
from vitrion.potentials.student import SUFFIX
from vitrion.runtime.atomic import replace_durably
from vitrion.runtime.processes import exit_with_parent, keep_freed_memory
from vitrion.runtime.progress import Progress, write_progress

REPORT_S = 5.0


def main() -> None:
    """Run one process of a fit."""
    begin, device = Path(sys.argv[1]), sys.argv[2]
    rank, ranks, parent = map(int, sys.argv[3:6])
    exit_with_parent(parent)
    keep_freed_memory()
    torch.set_num_threads(1)
    if ranks > 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
        torch.distributed.init_process_group(
            "gloo", init_method=f"file://{begin.parent / 'rendezvous'}", rank=rank, world_size=ranks
        )
    Fit(begin, rank, ranks, device).run()
    if ranks > 1:
        torch.distributed.destroy_process_group()


class Fit:
    """One process of a fit: its model, its frames, and the mean of the weights."""

    def __init__(self, begin: Path, rank: int, ranks: int, device: str) -> None:
        folder = begin.parent
        self.begin, self.folder, self.rank, self.ranks = begin, folder, rank, ranks
        self.device = device
        self.settings = FitSettings.model_validate_json((folder / SETTINGS).read_text())
        self.model = load_model(begin).train()
        self.batches = frame_batches(self.model, read_frames(folder / FRAMES))
        self.model.to(device)
        # Equal numbers of edges speed up the message sum of students only.
        self.cutoff = float(self.model.r_max) if begin.suffix == SUFFIX else None
        self.sizes = [len(batch["positions"]) for batch in self.batches]
        self.parameters: list[torch.Tensor] = [
            p for p in self.model.parameters() if p.requires_grad and p.numel()
        ]
        self.means = [p.detach().clone() for p in self.parameters]
        self.adam = torch.optim.Adam(self.parameters, lr=self.settings.learning_rate)
        self.epoch, self.cpu_s = 0, 0.0
        self.steps_per_epoch = max(1, len(self.sizes) // self.settings.batch_size)
        self.steps = self.settings.epochs * self.steps_per_epoch
        self.reported = time.monotonic()

    def run(self) -> None:
        """Run all epochs that are not done, and write the student with the mean weights."""
        self._resume()
        while self.epoch < self.settings.epochs:
            order = epoch_order(
                self.sizes, self.settings.batch_size, self.epoch, self.settings.seed, self.ranks
            )
            for number, shares in enumerate(order):
                loss = self._step(shares, self.epoch * self.steps_per_epoch + number)
            if not all(bool(torch.isfinite(p).all()) for p in self.parameters):
                sys.exit(f"The weights are not finite after epoch {self.epoch + 1}.")
            self.epoch += 1
            if self.rank == 0:
                self._save()
                print(f"epoch {self.epoch}: loss {loss:.5f}", flush=True)
        if self.rank == 0:
            with torch.no_grad():
                for parameter, mean in zip(self.parameters, self.means, strict=True):
                    parameter.copy_(mean)
            (self.folder / CPU).write_text(f"{self._cpu_s() * self.ranks:.1f}")
            save_model(self.model.cpu(), fitted_file(self.begin))
            self._report(self.steps)

    def _step(self, shares: list[list[int]], step: int) -> float:
        """Change the weights once; return the loss of this process's part."""
        chosen = [i for share in shares for i in share]
        self.adam.zero_grad(set_to_none=True)
        loss = torch.zeros(())
        if shares[self.rank]:
            batch = join([self.batches[i] for i in shares[self.rank]], self.cutoff)
            batch = {key: value.to(self.device) for key, value in batch.items()}
            n_atoms = sum(self.sizes[i] for i in chosen)
            loss = batch_loss(self.model, batch, self.settings, len(chosen), n_atoms)
            loss.backward()
        if self.ranks > 1:
            self._sum_gradients()
        torch.nn.utils.clip_grad_norm_(self.parameters, 10.0)
        for group in self.adam.param_groups:
            group["lr"] = self.settings.rate(step, self.steps)
        self.adam.step()
        decay = min(self.settings.averaging, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(self.means, self.parameters, 1 - decay)
        if self.rank == 0 and time.monotonic() - self.reported > REPORT_S:
            self._report(step + 1)
        return float(loss.detach())

    def _sum_gradients(self) -> None:
        flat = torch.cat(
            [
                (torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1)
                for p in self.parameters
            ]
        )
        torch.distributed.all_reduce(flat)
        for parameter, part in zip(
            self.parameters, flat.split([p.numel() for p in self.parameters]), strict=True
        ):
            parameter.grad = part.view_as(parameter)

    def _report(self, step: int) -> None:
        self.reported = time.monotonic()
        write_progress(self.folder, Progress(step, self.steps, "steps"))

    def _save(self) -> None:
        state: dict[str, Any] = {
            "epoch": self.epoch,
            "cpu_s": self._cpu_s(),
            "weights": self.parameters,
            "means": self.means,
            "adam": self.adam.state_dict(),
        }
        partial = self.folder / f"{STATE}.partial"
        torch.save(state, partial)
        replace_durably(partial, self.folder / STATE)

    def _cpu_s(self) -> float:
        return self.cpu_s + time.process_time()

    def _resume(self) -> None:
        path = self.folder / STATE
        if not path.is_file():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.epoch, self.cpu_s = state["epoch"], state["cpu_s"]
        with torch.no_grad():
            for own, saved in zip(self.parameters, state["weights"], strict=True):
                own.copy_(saved)
            for own, saved in zip(self.means, state["means"], strict=True):
                own.copy_(saved)
        self.adam.load_state_dict(state["adam"])


if __name__ == "__main__":
    main()
