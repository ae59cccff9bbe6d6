"""Inpainting: sample positions of inserted atoms around a fixed host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitrion.chemistry.formulas import read_amounts, whole_amounts
from vitrion.chemistry.structures import check_ordered
from vitrion.errors import InputError
from vitrion.generation.candidate import Candidate, Origin, check_distances, check_request
from vitrion.generation.diffusion.weights import SHIPPED
from vitrion.generation.seeds import spawn_seeds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymatgen.core import Structure

    from vitrion.chemistry.formulas import CompositionLike
    from vitrion.generation.diffusion.sampler import InpaintMode

_WHOLE_NUMBERS = 'insert must name elements with whole numbers, such as {"Li": 2}.'


def inpaint(
    host: Structure,
    insert: CompositionLike,
    n: int = 1,
    seed: int = 0,
    *,
    mode: InpaintMode = "conditioned",
    weights: str = SHIPPED,
    sampler: Mapping[str, Any] | None = None,
    device: str = "cpu",
    parent: str | None = None,
) -> list[Candidate]:
    """Insert atoms into a fixed host.

    Used for the host-guided search for crystals (see ``make_hosts``), interstitials and the filling
    of disordered sites.

    Parameters
    ----------
    host : Structure
        Fixed atoms and cell; a reduced cell is fastest.
    insert : mapping of str to int, str or Composition
        Number of atoms of each element to insert, such as ``{"Li": 2}`` or ``"Li2"``.
    n : int
        Candidates.
    seed : int
    mode : "conditioned" or "repaint"
        See ``SamplerSettings``.
    weights : str
        ``vitrion-score`` or a safetensors file.
    sampler : mapping, optional
        Other fields of ``SamplerSettings``.
    device : str
    parent : str, optional
        Name of the host, for the provenance.

    Returns
    -------
    list of Candidate
        Host atoms first, in input order, then inserted atoms.

    Raises
    ------
    InputError
        If the host has partial occupancies or overlapping atoms, if ``insert`` is empty, or if an
        element is not in the training set.
    """
    from vitrion.generation.diffusion.generator import ScoreModel

    check_request(n, seed)
    if not insert:
        raise InputError(_WHOLE_NUMBERS)
    new = read_amounts(insert)
    amounts = whole_amounts(new)
    if any(amounts[element.symbol] != amount for element, amount in new.items()):
        raise InputError(_WHOLE_NUMBERS)
    check_ordered(host, "The host")
    check_distances(host, "host")
    model = ScoreModel.load(weights, device)
    model.check({*amounts, *(site.specie.symbol for site in host)})
    host = host.copy().remove_oxidation_states()
    settings = {**(sampler or {}), "mode": mode}
    seeds = spawn_seeds(seed, n)
    tasks = [model.task(new, host.lattice, task_seed, host) for task_seed in seeds]
    return [
        Candidate(
            structure=structure,
            origin=Origin(
                generator="inpainting",
                seed=task_seed,
                model=model.label,
                parent=parent or f"host {host.composition.formula}",
                details={"insert": amounts, "sampler": settings},
            ),
        )
        for structure, task_seed in zip(model.sample(tasks, settings), seeds, strict=True)
    ]
