"""Batched evaluation and relaxation against ASE, one structure at a time."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.calculator import all_changes
from ase.calculators.lj import LennardJones
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from helpers.pair_potentials import VectorizedLennardJones
from vitrion.errors import InputError
from vitrion.polymorphs.filters import reason_class, unphysical
from vitrion.potentials import load_calculator
from vitrion.potentials.batch import CHGNetBatch, MACEBatch, NativeBatch, OneByOne, batched
from vitrion.potentials.native import usable_variants
from vitrion.relaxation.relax import Relaxation, RelaxSettings, relax_many

needs_kernel = pytest.mark.skipif(not usable_variants(), reason="the kernel was not compiled")
TIGHT = RelaxSettings(fmax_eV_per_A=0.003, max_steps=1000)


def argon(a=5.5, perturb=0.0):
    structure = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Ar"], [[0, 0, 0]])
    structure.perturb(perturb) if perturb else None
    return structure


def salts():
    lithium_fluoride = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.1), ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    oxide = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.7), ["O", "Li"], [[0, 0, 0], [0.25, 0.25, 0.25]]
    )
    lithium_fluoride.perturb(0.1)
    return [lithium_fluoride, oxide.get_primitive_structure()]


@pytest.fixture
def lennard_jones():
    return VectorizedLennardJones(sigma=3.4, epsilon=0.0104, rc=10.0, smooth=True)


@pytest.mark.parametrize(
    ("name", "evaluation", "kind"),
    [
        pytest.param("vitrion-lipof", "1", NativeBatch, marks=needs_kernel),
        ("vitrion-lipof", "0", MACEBatch),
        ("chgnet", "1", CHGNetBatch),
    ],
)
def test_a_batch_gives_what_the_calculator_gives(name, evaluation, kind, monkeypatch):
    monkeypatch.setenv("VITRION_NATIVE", evaluation)
    calculator = load_calculator(name)
    batch = batched(calculator)
    assert isinstance(batch, kind)
    systems = [AseAtomsAdaptor.get_atoms(structure) for structure in salts()]
    for one, many in zip(
        OneByOne(calculator).evaluate(systems), batch.evaluate(systems), strict=True
    ):
        assert many.energy_eV == pytest.approx(one.energy_eV, abs=2e-4)
        np.testing.assert_allclose(many.forces, one.forces, atol=2e-3)
        np.testing.assert_allclose(many.stress, one.stress, atol=1e-4)
    alone = batch.evaluate(systems[:1])[0]
    assert alone.energy_eV == pytest.approx(one_energy(calculator, systems[0]), abs=2e-4)


def one_energy(calculator, atoms):
    return OneByOne(calculator).evaluate([atoms])[0].energy_eV


def test_a_random_mace_model_of_mace_torch_runs_in_batches(tmp_path):
    """The same module behind mace-torch's own calculator and behind the batch."""
    import torch
    from mace.calculators import MACECalculator

    from vitrion.potentials.student import build_model, read_student, student_path

    description, _ = read_student(student_path())
    torch.manual_seed(0)
    path = tmp_path / "random.model"
    torch.save(build_model(description), path)
    calculator = MACECalculator(model_paths=str(path), device="cpu", default_dtype="float64")
    systems = [AseAtomsAdaptor.get_atoms(structure) for structure in salts()]
    one = OneByOne(calculator).evaluate(systems)
    many = batched(calculator).evaluate(systems)
    for first, second in zip(one, many, strict=True):
        assert first.energy_eV == pytest.approx(second.energy_eV, abs=1e-9)
        np.testing.assert_allclose(first.forces, second.forces, atol=1e-9)
        np.testing.assert_allclose(first.stress, second.stress, atol=1e-9)


def test_reaches_the_minimum_that_ase_reaches(lennard_jones):
    start = argon(5.5, 0.15)
    atoms = AseAtomsAdaptor.get_atoms(start)
    atoms.calc = lennard_jones
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=0.0005, steps=500)
    # argon is soft: 0.003 eV of virial an atom would leave its volume open by 0.4 %
    tighter = TIGHT.model_copy(update={"fmax_eV_per_A": 0.0005})
    (found,) = relax_many([start], batched(lennard_jones), tighter)
    assert found.converged
    assert found.energy_eV == pytest.approx(atoms.get_potential_energy(), abs=2e-4)
    assert found.structure.volume == pytest.approx(atoms.get_volume(), rel=2e-3)
    assert found.max_stress_GPa < 0.05


def test_pressure_and_fixed_cells(lennard_jones):
    batch = batched(lennard_jones)
    (free,) = relax_many([argon()], batch, TIGHT)
    (pressed,) = relax_many([argon()], batch, TIGHT.model_copy(update={"pressure_GPa": 1.0}))
    bulk_modulus = -1.0 / np.log(pressed.structure.volume / free.structure.volume)
    assert 2.0 < bulk_modulus < 8.0  # argon: about 3 GPa, stiffer under pressure
    fixed = TIGHT.model_copy(update={"relax_cell": False})
    (kept,) = relax_many([argon(5.6, 0.1)], batch, fixed)
    assert kept.structure.volume == pytest.approx(5.6**3)
    assert kept.max_force_eV_per_A < 0.003


def test_many_together_end_as_each_alone(lennard_jones):
    starts = [argon(5.3, 0.1), argon(5.8, 0.05).get_primitive_structure(), argon(5.1)]
    batch = batched(lennard_jones)
    order = []
    settings = TIGHT.model_copy(update={"batch_atoms": 6})  # so they enter one after another
    together = relax_many(starts, batch, settings, on_finished=lambda i, _: order.append(i))
    assert sorted(order) == [0, 1, 2]
    for start, found in zip(starts, together, strict=True):
        (alone,) = relax_many([start], batch, TIGHT)
        assert found.energy_eV == pytest.approx(alone.energy_eV, abs=1e-9)
        assert found.n_steps == alone.n_steps


def test_symmetry_is_kept_on_request(lennard_jones):
    """A tetragonal cell of one kind of atom would fall into fcc; kept, it stays tetragonal."""
    start = Structure(Lattice.tetragonal(3.9, 4.3), ["Ar", "Ar"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    rng = np.random.default_rng(0)
    noisy = batched(_Noisy(lennard_jones, rng))
    settings = RelaxSettings(fmax_eV_per_A=0.02, max_steps=60, keep_symmetry=True)
    (kept,) = relax_many([start], noisy, settings)
    assert kept.structure.get_space_group_info(symprec=1e-4)[1] in (139, 225, 229)
    free = settings.model_copy(update={"keep_symmetry": False})
    (lost,) = relax_many([start], noisy, free)
    assert lost.structure.get_space_group_info(symprec=1e-4)[1] < 75


class _Noisy(VectorizedLennardJones):
    """Forces that are not symmetric, as those of an unsymmetrical model would be."""

    def __init__(self, base, rng):
        super().__init__(**base.parameters)
        self.rng = rng

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.results["forces"] = self.results["forces"] + self.rng.normal(
            0, 0.02, self.results["forces"].shape
        )
        self.results["stress"] = self.results["stress"] + self.rng.normal(0, 1e-4, 6)


def test_one_bad_structure_does_not_stop_the_others(lennard_jones):
    bad = argon(4.2, 0.3)
    (sound,) = relax_many([argon()], batched(lennard_jones), RelaxSettings())
    settings = RelaxSettings(max_steps=3)
    found = relax_many([bad, sound.structure], batched(lennard_jones), settings)
    assert "were left after 3 steps" in found[0].reason
    assert found[1].converged
    with pytest.raises(InputError, match="order it"):
        relax_many([Structure(Lattice.cubic(3), [{"Ar": 0.5}], [[0, 0, 0]])], None)


def test_structures_that_are_not_crystals_are_dropped_with_a_reason():
    def end(structure, energy=-1.0, failure=None):
        return Relaxation(
            structure=structure,
            energy_eV=energy * len(structure),
            max_force_eV_per_A=0.01,
            residual_eV_per_A=0.01 if failure is None else 2.0,
            pressure_GPa=0.1,
            max_stress_GPa=0.1,
            n_steps=10,
            converged=failure is None,
            reason=failure,
        )

    assert unphysical(end(argon())) is None
    apart = Structure(Lattice.tetragonal(4, 20), ["Ar", "Ar"], [[0, 0, 0], [0.5, 0.5, 0.1]])
    close = Structure(Lattice.cubic(4), ["O", "P"], [[0, 0, 0], [0.2, 0, 0]])
    reasons = [
        unphysical(end(apart)),
        unphysical(end(close)),
        unphysical(end(argon(), -9.0), lowest_eV_per_atom=-5.0),
        unphysical(end(argon(), failure="forces of 2.00 eV/A were left after 9 steps")),
    ]
    assert [reason_class(reason) for reason in reasons] == [
        "fell apart",
        "atoms overlap",
        "energy below anything physical",
        "not converged",
    ]


def test_a_calculator_is_called_once_for_each_structure():
    class StressOnRequest(LennardJones):
        """Skips the stress unless asked for it, as the native kernel does."""

        calls = 0

        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            self.calls += 1
            super().calculate(atoms, properties, system_changes)
            if "stress" not in properties:
                del self.results["stress"]

    calculator = StressOnRequest(rc=6.0, epsilon=0.01, sigma=3.4)
    systems = [bulk("Ar", a=a, cubic=True) for a in (5.2, 5.4)]
    found = OneByOne(calculator).evaluate(systems)
    assert calculator.calls == 2
    for system, evaluation in zip(systems, found, strict=True):
        system.calc = LennardJones(rc=6.0, epsilon=0.01, sigma=3.4)
        assert evaluation.energy_eV == pytest.approx(system.get_potential_energy())
        assert evaluation.forces == pytest.approx(system.get_forces(), abs=1e-9)
        assert evaluation.stress == pytest.approx(system.get_stress(voigt=False))


def test_a_calculator_without_stress_is_refused():
    class Flat(LennardJones):
        def calculate(self, *args, **kwargs):
            super().calculate(*args, **kwargs)
            del self.results["stress"]

    with pytest.raises(InputError, match="Flat does not implement stress"):
        OneByOne(Flat()).evaluate([bulk("Ar", a=5.2, cubic=True)])
