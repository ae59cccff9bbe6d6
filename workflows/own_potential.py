"""Your own potential: comparison of its forces, and a conductivity.

    python workflows/own_potential.py LiF.cif mace:/models/my.model --reference chgnet
    python workflows/own_potential.py --toy

A ``.model`` file is a pickle and can execute any code when loaded; state its SHA-256 in the name
(``mace:FILE#HASH``) to allow a file that you trust.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from jobflow import Flow, run_locally
from pymatgen.core import Lattice, Structure

from vitrion.conductivity.conductivity_settings import ConductivitySettings
from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.makers import ConductivityMaker
from vitrion.dynamics.document import MDDoc
from vitrion.dynamics.makers import MDMaker
from vitrion.dynamics.md_settings import MDSettings
from vitrion.potentials import get_potential
from vitrion.store.job_store import open_job_store


def toy_potential(folder: Path) -> str:
    """Save the shipped student as a mace-torch model file, as an example."""
    import torch

    from vitrion.potentials.spec import sha256_of
    from vitrion.potentials.student import load_student, student_path

    path = folder / "my.model"
    torch.save(load_student(student_path()), path)
    return f"mace:{path}#{sha256_of(path)}"


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("structure", nargs="?", type=Path, help="file of the crystal or glass")
    parser.add_argument("potential", nargs="?", help="name in the registry")
    parser.add_argument("--reference", default="chgnet", help="potential to compare forces with")
    parser.add_argument("--store", default="vitrion_data")
    parser.add_argument("--toy", action="store_true", help="LiF, tenths of a picosecond")
    options = parser.parse_args()
    if options.toy:
        name = toy_potential(Path(tempfile.mkdtemp()))
        rock_salt = [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0, 0.5], [0.5, 0.5, 0]]
        structure = Structure(Lattice.tetragonal(2.86, 4.05), ["Li", "Li", "F", "F"], rock_salt)
        structure.make_supercell(2)  # wider than the cutoff of the potential
        short_ps, measured = 0.05, {"temperatures_K": (1000,), "first_ps": 0.4, "extension": 0}
        measured |= {"equilibration_ps": 0.04, "density_ps": 0.1, "md": {"save_interval_fs": 20}}
    else:
        name, structure = options.potential, Structure.from_file(options.structure)
        short_ps, measured = 5.0, {"temperatures_K": (700, 850, 1000), "first_ps": 20}
        measured |= {"equilibration_ps": 2, "extension": 7}
    print(get_potential(name).model_dump_json(indent=1))

    # 1. A short run at the highest temperature; its document compares the forces on its own frames.
    check = MDMaker(
        name="check",
        potential=name,
        reference_potential=options.reference,
        settings=MDSettings(temperature_K=1000, duration_ps=short_ps, save_interval_fs=10),
    ).make(structure)
    # 2. If the forces are accurate enough, a conductivity.
    conductivity = ConductivityMaker(
        settings=ConductivitySettings(**measured),
        potential=name,
        workers=1 if options.toy else None,
    ).make(structure)

    store = open_job_store(options.store)
    store.connect()
    flow = Flow([check, conductivity], name="my potential")
    run_locally(flow, store=store, create_folders=True, raise_immediately=True, log=False)
    run = MDDoc.model_validate(store.get_output(check.uuid, load=True))
    print(run.trust.statement)
    print(f"Drift of the conserved energy: {run.energy_drift_meV_per_atom_ps} meV/(atom ps)")
    document = ConductivityDoc.model_validate(store.get_output(conductivity.uuid, load=True))
    for result in document.results:
        value, bound = result.conductivity, result.conductivity_bound_mS_cm
        text = (
            f"{value.value:.3g} mS/cm, 95 %: {value.interval_95}"
            if value
            else f"< {bound:.3g} mS/cm"
        )
        print(f"{result.temperature_K:g} K: {text}")


if __name__ == "__main__":
    main()
