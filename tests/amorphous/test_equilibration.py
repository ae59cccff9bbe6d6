import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from helpers.melt_frames import moved, write
from vitrion.amorphous.characterize import equilibrium_frames, mean_density
from vitrion.amorphous.equilibration import (
    framework_elements,
    melt_equilibration,
    neighbor_distance,
)
from vitrion.amorphous.pack import pack
from vitrion.dynamics.trajectory import Trajectory


@pytest.fixture(scope="module")
def cell():
    return pack("LiPO2F2", n_atoms=72, seed=1)


@pytest.mark.parametrize(("length", "equilibrated"), [(1.0, False), (12.0, True)])
def test_a_melt_equilibrates_beyond_the_neighbor_distance(tmp_path, cell, length, equilibrated):
    steps = moved(cell.structure, length, np.random.default_rng(2))
    with Trajectory(write(tmp_path / "melt.vtraj.h5", cell.structure, steps)) as trajectory:
        melt = melt_equilibration(trajectory)
    assert melt.framework == ["P"]
    assert melt.duration_ps == pytest.approx(1.0)
    # the drift is removed and nothing is lost to wrapping; 12 directions do not quite average out
    assert melt.msd_A2 == pytest.approx(length**2, rel=0.25)
    assert melt.equilibrated is equilibrated
    assert 3.0 < melt.neighbor_distance_A < 6.5


def test_a_change_of_the_cell_is_not_motion(tmp_path, cell):
    scales = np.linspace(1.0, 1.1, 5)
    cells = scales[:, None, None] * cell.structure.lattice.matrix
    still = np.zeros((5, len(cell.structure), 3))
    path = write(tmp_path / "npt.vtraj.h5", cell.structure, still, cells)
    with Trajectory(path) as trajectory:
        assert melt_equilibration(trajectory).msd_A2 == pytest.approx(0, abs=1e-6)
        frames = equilibrium_frames(trajectory, skip=0.5)
    assert [frame.volume for frame in frames] == pytest.approx(
        [cell.structure.volume * s**3 for s in scales[2:]]
    )


def test_density_is_averaged_with_its_error(cell):
    rng = np.random.default_rng(0)
    scales = 1 + 0.01 * rng.normal(size=40)
    frames = [Structure(Lattice.cubic(10 * s), ["Li"], [[0] * 3]) for s in scales]
    density, error = mean_density(frames)
    assert density == pytest.approx(6.94 / 0.602214 / 1000, rel=0.02)
    assert error == pytest.approx(3 * 0.01 * density / np.sqrt(40), rel=0.9)
    assert mean_density(frames[:3])[1] is None
    assert cell.structure.density == pytest.approx(1.98, abs=0.02)


def test_nearest_neighbors_of_rock_salt():
    rock_salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0] * 3, [0.5] * 3]
    )
    assert neighbor_distance(rock_salt, ["Cl"]) == pytest.approx(5.64 / np.sqrt(2))
    assert neighbor_distance(rock_salt, ["Na", "Cl"]) == pytest.approx(2.82)
    primitive = rock_salt.get_primitive_structure()
    assert neighbor_distance(primitive, ["Cl"]) == pytest.approx(5.64 / np.sqrt(2))


def test_the_framework_is_what_a_liquid_must_move():
    assert framework_elements(("Li", "P", "O", "F")) == ["P"]
    assert framework_elements(("Li", "F")) == ["F"]
    assert framework_elements(("Cu", "Ag")) == ["Ag", "Cu"]
