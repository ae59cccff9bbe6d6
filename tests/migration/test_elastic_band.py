"""The nudged elastic band against the one of atomate2 and a known barrier."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from atomate2.forcefields.neb import ForceFieldNebFromImagesMaker
from pymatgen.core import Structure
from pymatgen.io.ase import AseAtomsAdaptor

from vitrion.migration.bands import interpolate
from vitrion.migration.elastic_band import ElasticBand


@pytest.fixture(scope="module")
def images():
    """Return the images of an atom of copper that hops into a vacancy."""
    copper = AseAtomsAdaptor.get_structure(bulk("Cu", cubic=True).repeat(2))
    distances = copper.distance_matrix[0]
    neighbor = int(np.flatnonzero((distances > 0) & (distances < 2.6))[0])
    sites = [site for n, site in enumerate(copper) if n not in (0, neighbor)]
    ends = [Structure.from_sites([copper[n], *sites]) for n in (neighbor, 0)]
    return interpolate(*ends, 3)


class Uncopied(EMT):
    """Holds memory that Python cannot copy, as native calculators do."""

    def __deepcopy__(self, memo):
        raise TypeError("cannot be copied")


def test_the_band_is_that_of_atomate2(images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    band = ElasticBand(Uncopied(), fmax_eV_per_A=0.05)(images)
    reference = ForceFieldNebFromImagesMaker(
        force_field_name={"@module": "ase.calculators.emt", "@callable": "EMT"},
        relax_kwargs={"fmax": 0.05},
        neb_kwargs={"climb": True, "method": "improvedtangent", "k": 1.0},
    ).run_ase([image.copy() for image in images])
    assert band.converged
    np.testing.assert_allclose(band.energies_eV, reference.energies, atol=1e-6)
    assert np.argmax(band.energies_eV) == 2
    middle = reference.images[2]
    gaps = [a.distance(b) for a, b in zip(band.saddle, middle, strict=True)]
    assert max(gaps) < 1e-4
    assert [site.specie for site in band.saddle] == [site.specie for site in images[0]]


def test_a_band_out_of_steps_is_not_converged(images):
    band = ElasticBand(EMT(), fmax_eV_per_A=1e-4, max_steps=1)(images)
    assert not band.converged
    assert band.saddle is not None
    assert len(band.energies_eV) == len(images)
