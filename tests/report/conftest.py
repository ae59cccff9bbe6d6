"""A crystal and its glass with every kind of document, small but made by the real analysis."""

import math

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from helpers.walkers import hopping, in_crystal
from vitrion.amorphous.characterize import characterize
from vitrion.amorphous.document import AmorphousDoc
from vitrion.amorphous.pack import pack
from vitrion.conductivity.document import ConductivityDoc
from vitrion.defects.document import (
    BarrierNetwork,
    DefectDoc,
    DefectRecord,
    EnergyDistribution,
    HopRecord,
    PercolationRecord,
    Reservoir,
)
from vitrion.documents.provenance import Provenance
from vitrion.generation.candidate import Origin
from vitrion.landscape.document import SiteEnergyLandscapeDoc
from vitrion.materials.material import MaterialReport
from vitrion.polymorphs.document import HullReference, Polymorph, PolymorphDoc, SpaceGroupAt
from vitrion.potentials.trust import ForceCheck, NoveltyReport, TrustReport
from vitrion.transport import analyze
from vitrion.uncertainty import ReplicaMean

CELL = 12.0 * np.eye(3)
HOSTILE = "</script><img src=x onerror=\"document.title='broken'\"> & 'quotes'"
CORNERS = [[x / 2, y / 2, z / 2] for x in (0, 1) for y in (0, 1) for z in (0, 1)]


def transport(temperature, hops, seed):
    """Analyze hopping ions, with their motion in space."""
    rng = np.random.default_rng(seed)
    positions, symbols = in_crystal(hopping(300, 20, hops).draw(rng), CELL, rng)
    return analyze(
        positions, CELL, symbols, 100.0, temperature, wrapped=False, spatial=temperature == 800.0
    )


def conductivity(structure, phase, hops):
    runs = {t: transport(t, n, int(t)) for t, n in zip((500.0, 650.0, 800.0), hops, strict=True)}
    check = ForceCheck(
        reference="chgnet",
        n_frames=3,
        force_rmse_meV_per_A=160.0,
        force_mae_meV_per_A=120.0,
        reference_force_rms_meV_per_A=1000.0,
        force_slope=1.05,
    )
    scores = [0.3, 0.4, 1.9 if phase == "amorphous" else 0.5]
    novelty = NoveltyReport(
        n_frames=3,
        scores=scores,
        threshold=1.6,
        fraction_outside=1 / 3,
        worst_frame=2,
        worst_element="Li",
    )
    left = max(scores) > novelty.threshold
    trust = TrustReport(
        potential="vitrion-lipof",
        novelty=novelty,
        force_check=check,
        left_trained_range=left,
        statement="1 of 3 frames left the trained range." if left else "All frames lie within.",
    )
    return ConductivityDoc.from_results(
        structure,
        runs,
        phase=phase,
        trust=trust,
        provenance=Provenance.collect("vitrion-lipof", seeds={"dynamics": 7}, job_uuids=["j-1"]),
    )


def glass(seed):
    cell = pack("LiPO2F2", n_atoms=48, seed=seed)
    return AmorphousDoc.from_character(
        cell.structure,
        characterize(cell.structure),
        quench_rate_K_per_ps=100.0,
        energy_eV_per_atom=-5.9 - 0.01 * seed,
        remarks=[f"This one is hostile: {HOSTILE}"],
    )


def polymorphs(structure):
    def crystal(rank, energy, volume, found):
        return Polymorph(
            structure=structure,
            energy_eV_per_atom=-6.0 + energy,
            energy_above_hull_eV_per_atom=0.01 + energy,
            energy_above_best_eV_per_atom=energy,
            max_force_eV_per_A=0.01,
            space_groups=[SpaceGroupAt(tolerance_A=0.1, number=rank, symbol=f"P{rank}")],
            density_g_per_cm3=200.0 / volume / 6,
            volume_per_atom_A3=volume,
            coordination={"P": {"F2O2": 1.0}},
            times_found=found,
            found_by={"diffusion": found},
            first_found_at=rank,
            origins=[Origin(generator="diffusion", seed=rank)],
        )

    crystals = [crystal(2, 0.0, 12.0, 1), crystal(14, 0.02, 11.0, 12), crystal(1, 0.3, 15.0, 3)]
    return PolymorphDoc.from_structure(
        structure,
        phase="crystalline",
        polymorphs=crystals,
        references=[HullReference(name="lithium fluoride", formula="LiF", energy_eV_per_atom=-4.8)],
        n_relaxations=16,
        n_iterations=1,
        stop_reason="the best crystal was found 3 times",
        best_energy_eV_per_atom=[None, -5.7, -6.0, -6.0],
    )


def distribution(energies):
    values = np.array(energies)
    return EnergyDistribution(
        n=len(values),
        mean_eV=values.mean(),
        std_eV=values.std(),
        minimum_eV=values.min(),
        quantiles_eV={"50": float(np.median(values))},
        boltzmann=[{"temperature_K": 300.0, "energy_eV": values.min() + 0.01}],
    )


def defects(structure, phase, gap, rng):
    energies = {"frenkel": gap + rng.random(6), "interstitial": gap + 0.5 * rng.random(6),
                "vacancy": 2.0 + rng.random(6)}  # fmt: skip
    records = [
        DefectRecord(
            kind=kind,
            label=f"{kind} {index}",
            separation="far" if kind == "frenkel" else None,
            energy_eV=energy,
            formation_energy_eV=energy,
            charge_transferred={"interstitial": 1, "vacancy": -1, "frenkel": 0}[kind],
            converged=True,
            max_force_eV_per_A=0.01,
            n_steps=10,
        )
        for kind, values in energies.items()
        for index, energy in enumerate(values)
    ]
    barrier = 0.2 + 0.3 * gap
    hops = [
        HopRecord(
            start=0,
            end=1,
            image=(0, 0, 0),
            length_A=3.0,
            multiplicity=2,
            saddle_energy_eV=barrier,
            forward_barrier_eV=barrier + 0.05 * index,
            backward_barrier_eV=barrier,
            profile_eV=[0.0, barrier, 0.0],
            converged=True,
        )
        for index in range(4)
    ]
    network = BarrierNetwork(
        mechanism="vacancy",
        site_energies_eV=[0.0, 0.05],
        hops=hops,
        percolation=[
            PercolationRecord(dimension=1, threshold_eV=barrier, barrier_eV=barrier, percentile=50)
        ],
        path=[(0.0, barrier), (0.05, barrier + 0.05)],
    )
    return DefectDoc.from_structure(
        structure,
        phase=phase,
        mobile_species="Li",
        host_energy_eV=-100.0,
        host_max_force_eV_per_A=0.01,
        sites=[],
        records=records,
        reservoir=Reservoir(species="Li", chemical_potential_eV=-1.9, source="bcc Li"),
        networks=[network],
        **{f"{kind}_energy_eV": distribution(values) for kind, values in energies.items()},
    )


def landscape(structure, phase, gaps, networks):
    rng = np.random.default_rng(1)
    return SiteEnergyLandscapeDoc.from_structure(
        structure,
        phase=phase,
        mobile_species="Li",
        n_replicas=len(gaps),
        occupied_energies_eV=[(-rng.random(8)).tolist() for _ in gaps],
        empty_energies_eV=[(gap + rng.random(8)).tolist() for gap in gaps],
        landscape_gap_eV=ReplicaMean.of(gaps),
        landscape_median_gap_eV=ReplicaMean.of([gap + 1 for gap in gaps]),
        landscape_overlap=ReplicaMean.of([0.05 / gap for gap in gaps]),
        lowest_interstitial_energy_eV=ReplicaMean.of([gap + 0.3 for gap in gaps]),
        networks=networks,
    )


@pytest.fixture(scope="session")
def crystal_cell():
    return Structure(Lattice.cubic(5.2), ["Li", "P", "O", "O", "F", "F"], CORNERS[:6])


@pytest.fixture(scope="session")
def reports(crystal_cell):
    """Return the crystal, which does not conduct within its runs, and the glass, which does."""
    rng = np.random.default_rng(3)
    made = {}
    for phase, hops, gaps in (
        ("crystalline", (0.0, 0.0, 0.0), [2.0]),
        ("amorphous", (3.0, 9.0, 20.0), [0.3, 0.5, 0.4]),
    ):
        found = [defects(crystal_cell, phase, gap, rng) for gap in gaps]
        made[phase] = [
            conductivity(crystal_cell, phase, hops),
            *found,
            landscape(crystal_cell, phase, gaps, found[0].networks),
        ]
    made["crystalline"].append(polymorphs(crystal_cell))
    made["amorphous"] += [glass(seed) for seed in range(2)]
    return tuple(MaterialReport.from_documents(documents) for documents in made.values())


@pytest.fixture(scope="session")
def hostile_report(crystal_cell):
    document = ConductivityDoc.from_results(crystal_cell, {}, phase="amorphous")
    bound = document.model_copy(
        update={"sigma_300K_bound": math.pi, "failures": {HOSTILE: HOSTILE}}
    )
    report = MaterialReport.from_documents([bound])
    object.__setattr__(report, "material_id", HOSTILE)
    return report
