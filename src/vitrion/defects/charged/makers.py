"""Flows of charged defects with atomate2's VASP makers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from atomate2.vasp.flows.defect import FormationEnergyMaker
from jobflow import Flow, Job

from vitrion.chemistry.geometry import face_distances

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atomate2.vasp.jobs.base import BaseVaspMaker
    from pymatgen.analysis.defects.core import Defect
    from pymatgen.core import Structure


def charged_flow(
    unit_cell: Structure,
    defects: Sequence[Defect],
    relax_maker: BaseVaspMaker,
    *,
    supercell_side_A: float = 10.0,
    bulk: bool = True,
    name: str = "charged defects",
) -> Flow:
    """Relax each charge state of each defect in one supercell of the crystal.

    Parameters
    ----------
    unit_cell : Structure
        Relaxed with the same method.
    defects : sequence of Defect
        See :func:`vitrion.defects.charged.objects.charged_defects`.
    relax_maker : BaseVaspMaker
        Relaxes positions at fixed cell and takes the charge of the structure; atomate2 checks both.
    supercell_side_A : float
        Minimum distance between opposite faces of the supercell in A.
    bulk : bool
        Whether the perfect supercell is computed too (once), and defect entries with its
        potential for the correction of finite size are collected.
    name : str

    Returns
    -------
    Flow
        Its output is one list item for each defect.
    """
    sides = face_distances(unit_cell.lattice.matrix)
    repeats = np.maximum(np.ceil(supercell_side_A / sides - 1e-6).astype(int), 1)
    maker = FormationEnergyMaker(
        defect_relax_maker=relax_maker, uc_bulk=not bulk, collect_defect_entry_data=bulk
    )
    flows: list[Flow | Job] = []
    bulk_directory: Any = None
    for index, defect in enumerate(defects):
        flow = maker.make(
            defect,
            bulk_supercell_dir=bulk_directory,
            supercell_matrix=np.diag(repeats).tolist(),
            defect_index=index,
        )
        if bulk and bulk_directory is None:
            bulk_directory = flow.jobs[0].output["dir_name"]
        flow.name = f"{defect.name} {index}"
        flows.append(flow)
    return Flow(flows, output=[flow.output for flow in flows], name=name)
