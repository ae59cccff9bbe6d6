"""Train the score net: ``python -m vitrion.generation.diffusion.train OUT FILE [FILE ...]``.

Rerun the command to resume a killed run from its checkpoint; a checkpoint of other data, settings
or held-out formulas is rejected. The output weights are the running mean over training steps. A run
that starts from other weights (``--start``) keeps their held-out formulas.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from vitrion.chemistry.formulas import parse_composition
from vitrion.errors import InputError
from vitrion.generation.diffusion.crystal_batch import CrystalBatch, make_batch, pad
from vitrion.generation.diffusion.fingerprint import fingerprints
from vitrion.generation.diffusion.net import NetConfig, ScoreNet, element_descriptors
from vitrion.generation.diffusion.noise import NoiseSchedule, add_noise
from vitrion.generation.diffusion.train_settings import TrainSettings
from vitrion.generation.diffusion.training_crystals import (
    Crystal,
    draw_formulas,
    prepare_training_set,
    read_structures,
    split_by_formula,
)
from vitrion.generation.diffusion.weights import ScoreNetCard, save_weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

logger = logging.getLogger(__name__)


class Trainer:
    """A restartable training run."""

    def __init__(
        self,
        crystals: Sequence[Crystal],
        out: str | Path,
        settings: TrainSettings | None = None,
        *,
        net_config: NetConfig | None = None,
        start: tuple[ScoreNet, ScoreNetCard] | None = None,
        hold_out: Sequence[str] = (),
        training_set: str = "not stated",
        name: str = "user",
    ) -> None:
        """Prepare a run that writes ``OUT`` (weights) and ``OUT.checkpoint``.

        Parameters
        ----------
        crystals : sequence of Crystal
            See ``prepare_training_set``.
        out : path
            Weights file to write.
        settings : TrainSettings, optional
        net_config : NetConfig, optional
            Size of a new network.
        start : (ScoreNet, ScoreNetCard), optional
            Initial network instead of a new one; its held-out formulas stay held out.
        hold_out : sequence of str
            Additional formulas to hold out for validation.
        training_set, name : str
            Description and name of the weights, stored in their card.

        Raises
        ------
        InputError
            If the training set is empty.
        """
        self.settings = settings or TrainSettings()
        self.out = Path(out)
        torch.manual_seed(self.settings.seed)
        if start is None:
            self.net, self.passes_before = ScoreNet(net_config), 0.0
            self.net.descriptors.copy_(element_descriptors())
            self.held_out = draw_formulas(crystals, self.settings.held_out, self.settings.seed)
        else:
            self.net, self.passes_before = start[0], start[1].epochs
            self.held_out = set(start[1].held_out)
        self.held_out |= {parse_composition(formula).reduced_formula for formula in hold_out}
        self.train_set, self.test_set = split_by_formula(crystals, self.held_out)
        if not any(self._share(crystal) > 0 for crystal in self.train_set):
            raise InputError(
                "The training set is empty: all crystals are held out or excluded by a fraction of "
                "0; provide more crystals, or change held_out and the fractions."
            )
        self.net.to(self.settings.device).train()
        self.mean = {k: v.detach().clone() for k, v in self.net.state_dict().items()}
        self.optimizer = torch.optim.AdamW(self.net.parameters(), self.settings.learning_rate)
        self.schedule = NoiseSchedule()
        self.generator = torch.Generator().manual_seed(self.settings.seed)
        self.rng = np.random.default_rng(self.settings.seed)
        self.step, self.epochs = 0, 0.0
        self.losses: list[float] = []
        self.training_set, self.name = training_set, name
        self.fingerprints = fingerprints(
            crystals, self.settings, self.net.config, self.held_out, start[0] if start else None
        )

    @property
    def checkpoint(self) -> Path:
        """File from which a killed run resumes."""
        return self.out.with_name(self.out.name + ".checkpoint")

    def run(self) -> Path:
        """Train to the last pass or the walltime and return the weights file.

        Raises
        ------
        InputError
            If the checkpoint belongs to a different run.
        """
        if self.checkpoint.is_file():
            self._restore()
        logger.info(
            "%d crystals, %d held out, %d parameters",
            len(self.train_set),
            len(self.test_set),
            sum(p.numel() for p in self.net.parameters()),
        )
        end = time.monotonic() + 60 * self.settings.wall_minutes
        saved = time.monotonic()
        while time.monotonic() < end and self.epochs < self.settings.passes - 1e-6:
            batches = list(self._epoch())
            for chosen in batches:
                self._train_step(chosen)
                self.epochs += 1 / len(batches)
                if time.monotonic() - saved > 60 * self.settings.checkpoint_minutes:
                    self._save()
                    saved = time.monotonic()
                if time.monotonic() > end:
                    break
        self._save()
        return self.out

    def _epoch(self) -> Iterator[list[Crystal]]:
        """Yield batches of cells of similar size in random order."""
        seen = [
            crystal
            for crystal in self.train_set
            if crystal.n_nonmetals > 1 or self.rng.random() < self._share(crystal)
        ]
        if not seen:
            return
        sizes = np.array([len(c.numbers) for c in seen])
        batches: list[list[Crystal]] = [[]]
        for index in np.argsort(sizes * self.rng.uniform(0.85, 1.15, len(sizes))):
            if (len(batches[-1]) + 1) * sizes[index] > self.settings.atoms_per_batch and batches[
                -1
            ]:
                batches.append([])
            batches[-1].append(seen[index])
        for index in self.rng.permutation(len(batches)):
            yield batches[index]

    def _share(self, crystal: Crystal) -> float:
        """Probability that an epoch includes a crystal."""
        settings = self.settings
        shares = (settings.intermetallic_fraction, settings.one_nonmetal_fraction, 1.0)
        return shares[min(crystal.n_nonmetals, 2)]

    def _train_step(self, chosen: Sequence[Crystal]) -> None:
        self.step += 1
        left = 1.0 - self.epochs / self.settings.passes
        rate = min(1.0, self.step / 100) * max(0.01, left)
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * rate
        loss = self._loss(chosen, self.generator)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.losses.append(loss.item())
        keep = min(0.999, self.step / (self.step + 10))
        for key, value in self.net.state_dict().items():
            if value.dtype.is_floating_point:
                self.mean[key].lerp_(value, 1 - keep)

    def _loss(self, chosen: Sequence[Crystal], generator: torch.Generator) -> torch.Tensor:
        """Mean squared error of sigma times the score, per noised atom."""
        batch = batch_of(chosen, self.net.config.cutoff_A)
        fractional = pad([c.fractional for c in chosen], batch.numbers.shape[1])
        noised = add_noise(batch, fractional, self.schedule, generator)
        device = self.settings.device
        found = self.net(batch.to(device), noised.fractional.to(device), noised.sigma.to(device))
        squares = ((found - noised.target.to(device)) ** 2).sum(-1)
        weight = noised.weight.to(device)
        return (squares * weight).sum() / weight.sum().clamp(min=1.0)

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Return the loss of the mean weights on held-out formulas, with fixed noise."""
        kept = {k: v.detach().clone() for k, v in self.net.state_dict().items()}
        self.net.load_state_dict(self.mean)
        generator = torch.Generator().manual_seed(1)
        ordered = sorted(self.test_set, key=lambda c: len(c.numbers))
        losses = [
            self._loss(ordered[i : i + 32], generator).item() for i in range(0, len(ordered), 32)
        ]
        self.net.load_state_dict(kept)
        return float(np.mean(losses)) if losses else float("nan")

    def _save(self) -> None:
        validation = self.validation_loss()
        logger.info(
            "step %d epoch %.1f train %.3f validation %.3f",
            self.step,
            self.epochs,
            np.mean(self.losses[-100:] or [np.nan]),
            validation,
        )
        state = {
            "net": self.net.state_dict(),
            "mean": self.mean,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "epochs": self.epochs,
            "generator": self.generator.get_state(),
            "fingerprints": self.fingerprints,
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)
        mean_net = ScoreNet(self.net.config)
        mean_net.load_state_dict(self.mean)
        partial = self.out.with_suffix(".partial")
        save_weights(mean_net, self._card(validation), partial)
        partial.replace(self.out)

    def _restore(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.settings.device, weights_only=True)
        known = state.get("fingerprints", {})
        other = [what for what, found in self.fingerprints.items() if known.get(what) != found]
        if other:
            raise InputError(
                f"The checkpoint {self.checkpoint} belongs to a run with a different "
                f"{', '.join(other)}: remove it to restart, or write to another file."
            )
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.mean = state["mean"]
        self.step, self.epochs = state["step"], state["epochs"]
        self.generator.set_state(state["generator"].cpu())
        self.rng = np.random.default_rng([self.settings.seed, self.step])

    def _card(self, validation: float) -> ScoreNetCard:
        elements: Counter[str] = Counter()
        systems = set()
        for crystal in self.train_set:
            elements.update(crystal.symbols)
            if crystal.n_nonmetals >= 2:
                systems.add("-".join(crystal.symbols))
        return ScoreNetCard(
            name=self.name,
            config=asdict(self.net.config),
            largest_noise_A=self.schedule.largest_A,
            smallest_noise_A=self.schedule.smallest_A,
            elements=dict(sorted(elements.items())),
            systems=sorted(systems),
            training_set=self.training_set,
            n_crystals=len(self.train_set),
            epochs=round(self.passes_before + self.epochs, 1),
            held_out=sorted(self.held_out),
            validation_loss=round(validation, 4),
        )


def batch_of(crystals: Sequence[Crystal], radius: float) -> CrystalBatch:
    """Combine crystals into one batch."""
    return make_batch(
        [c.numbers for c in crystals], np.stack([c.lattice for c in crystals]), radius
    )


def main() -> None:
    """Read structures, train, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", help="safetensors file to write")
    parser.add_argument("files", nargs="+", help="structure files (see read_structures)")
    parser.add_argument("--passes", type=float, default=60.0)
    parser.add_argument("--minutes", type=float, default=1e6, help="stop early after this time")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--intermetallics", type=float, default=0.3, help="fraction used in a pass")
    parser.add_argument("--one-nonmetal", type=float, default=1.0, help="likewise")
    parser.add_argument("--hold-out", nargs="*", default=[], help="formulas for validation")
    parser.add_argument("--exclude", nargs="*", default=[], help="formulas to exclude")
    parser.add_argument("--most-atoms", type=int, default=40)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--start", help="initial weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--name", default="user")
    parser.add_argument("--training-set", default="not stated", help="description of the data")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if options.device == "cpu":
        torch.set_num_threads(1)
    from vitrion.generation.diffusion.weights import load_weights

    crystals = prepare_training_set(
        read_structures(options.files), most_atoms=options.most_atoms, exclude=options.exclude
    )
    Trainer(
        crystals,
        options.out,
        TrainSettings(
            passes=options.passes,
            wall_minutes=options.minutes,
            learning_rate=options.learning_rate,
            intermetallic_fraction=options.intermetallics,
            one_nonmetal_fraction=options.one_nonmetal,
            seed=options.seed,
            device=options.device,
        ),
        net_config=NetConfig(channels=options.channels, layers=options.layers),
        start=load_weights(options.start) if options.start else None,
        hold_out=options.hold_out,
        training_set=options.training_set,
        name=options.name,
    ).run()


if __name__ == "__main__":
    main()
