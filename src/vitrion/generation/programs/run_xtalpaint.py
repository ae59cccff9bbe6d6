"""Runs in XtalPaint's environment, not in this package's: REQUEST.json in, ANSWER.extxyz out.

It has its own folder because Python puts a program's folder first in the import path.
"""

import json
import random
import sys


def main(request_file: str, answer_file: str) -> None:
    """Fill the host of the request ``n`` times and write the crystals."""
    import numpy as np
    import torch
    from ase.io import write
    from pymatgen.core import Structure
    from pymatgen.io.ase import AseAtomsAdaptor
    from xtalpaint.inpainting.generate_candidates import generate_inpainting_candidates
    from xtalpaint.inpainting.inpainting_process import run_inpainting_pipeline

    with open(request_file) as handle:
        request = json.load(handle)
    random.seed(request["seed"])
    np.random.seed(request["seed"])  # noqa: NPY002  (XtalPaint draws from the global state)
    torch.manual_seed(request["seed"])
    host = Structure.from_dict(request["host"])
    candidates = generate_inpainting_candidates(
        structures={f"host{i}": host for i in range(request["n"])},
        n_inp={f"host{i}": request["count"] for i in range(request["n"])},
        element=request["element"],
        num_samples=1,
    )
    config = {"record_trajectories": False, **request["config"]}
    found = run_inpainting_pipeline(structures=candidates, config=config)["structures"]
    atoms = [AseAtomsAdaptor.get_atoms(structure) for structure in found.values()]
    write(answer_file, atoms, format="extxyz")


if __name__ == "__main__":
    main(*sys.argv[1:])
