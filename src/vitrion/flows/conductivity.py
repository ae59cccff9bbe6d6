"""From a composition to the ionic conductivity of its glass."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobflow import Flow, Maker

from vitrion.amorphous.makers import GlassReplicasMaker, MeltQuenchMaker
from vitrion.amorphous.settings import MeltQuenchSettings
from vitrion.flows.presets import get_preset
from vitrion.potentials import get_potential
from vitrion.transport.makers import ConductivityMaker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Self

    from pymatgen.core import Composition, Structure


@dataclass
class GlassConductivityMaker(Maker):
    """Make several glasses of one composition and measure their conductivity together.

    Parameters
    ----------
    name : str
        The name of the flows.
    glass_maker : GlassReplicasMaker
        Makes the glasses.
    conductivity_maker : ConductivityMaker
        Measures them; their spread is part of the error.

    Examples
    --------
    >>> flow = GlassConductivityMaker.from_preset("quick").make("LiPO2F2")
    >>> flow.jobs[-1].name
    'conductivity'
    """

    name: str = "glass conductivity"
    glass_maker: GlassReplicasMaker = field(default_factory=GlassReplicasMaker)
    conductivity_maker: ConductivityMaker = field(default_factory=ConductivityMaker)

    @classmethod
    def from_preset(
        cls,
        preset: str = "standard",
        *,
        potential: str | None = None,
        temperatures_K: Sequence[float] = (),
        n_replicas: int | None = None,
        mobile: str | None = None,
        seed: int = 0,
        glass: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Make the Maker of a preset.

        Parameters
        ----------
        preset : str
            ``quick``, ``standard`` or ``paper``.
        potential : str, optional
            Name in the registry; the user's default otherwise.
        temperatures_K : sequence of float
            Temperatures of the dynamics in K; empty takes those of the preset.
        n_replicas : int, optional
            Independent glasses; None takes the number of the preset.
        mobile : str, optional
            Mobile species; None takes the usual mobile cation.
        seed : int
            Everything random in the flow follows from it.
        glass : dict, optional
            Fields of :class:`~vitrion.amorphous.settings.MeltQuenchSettings` to set otherwise.
        **kwargs
            Fields of the :class:`~vitrion.transport.makers.ConductivityMaker` to set otherwise,
            such as ``first_ps`` or ``target``.

        Raises
        ------
        InputError
            If there is no such preset or potential, or a value is not valid.
        """
        chosen = get_preset(preset)
        temperatures = tuple(float(t) for t in temperatures_K or chosen.temperatures_K)
        replicas = chosen.n_replicas if n_replicas is None else n_replicas
        settings = MeltQuenchSettings.preset(preset, seed=seed, **(glass or {}))
        first_ps = kwargs.pop("first_ps", chosen.first_ps)
        first_round = first_ps * len(temperatures) * max(replicas, 1)
        conductivity: dict[str, Any] = {
            "potential": potential,
            "temperatures_K": temperatures,
            "mobile": mobile,
            "equilibration_ps": chosen.equilibration_ps,
            "first_ps": first_ps,
            "budget_ps": first_round * (1 + chosen.extension),
            "target": chosen.target,
            "phase": "amorphous",
            "reference_potential": _second_opinion(potential),
            **kwargs,
        }
        maker = ConductivityMaker(**conductivity)
        dynamics = {**maker.settings.model_dump(), "seed": seed}
        maker.settings = type(maker.settings)(**dynamics)
        return cls(
            glass_maker=GlassReplicasMaker(
                melt_quench_maker=MeltQuenchMaker.from_potential(potential, settings),
                n_replicas=replicas,
            ),
            conductivity_maker=maker,
        )

    def make(
        self, structure: Structure | Composition | str, prev_dir: str | Path | None = None
    ) -> Flow:
        """Make the flow.

        Parameters
        ----------
        structure : Structure, Composition or str
            A composition to pack, or a crystal to melt.
        prev_dir : str or Path, optional
            Handed to the first job of each glass.

        Returns
        -------
        Flow
            Its output holds the :class:`~vitrion.documents.conductivity.ConductivityDoc` under
            ``conductivity`` and the documents of the glasses under ``glasses``.
        """
        glasses = self.glass_maker.make(structure, prev_dir=prev_dir)
        measured = self.conductivity_maker.make([glass.structure for glass in glasses.output])
        output = {"glasses": glasses.output, "conductivity": measured.output}
        return Flow([glasses, measured], output=output, name=self.name)


def _second_opinion(potential: str | None) -> str | None:
    """Return a potential of another make that needs no download, if there is one."""
    return None if get_potential(potential).backend == "chgnet" else "chgnet"
