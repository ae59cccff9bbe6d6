"""Documents of independent runs, combined."""

import numpy as np
import pytest

from helpers.pooled_glasses import TRUTH, of_glass
from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.pooling import pool
from vitrion.errors import InputError


@pytest.fixture(scope="module")
def documents():
    return [of_glass(seed, factor=factor) for seed, factor in enumerate((0.7, 1.0, 1.4))]


def test_the_pool_equals_one_document_of_all_glasses(documents):
    pooled = pool(documents)
    together = ConductivityDoc.from_results(
        documents[0].structure,
        {t: [d.replicas[i][0] for d in documents] for i, t in enumerate(TRUTH)},
        hierarchical=True,
        phase="amorphous",
    )
    assert pooled.systems == together.systems == [[0, 1, 2], [0, 1, 2]]
    assert pooled.results == together.results
    assert pooled.arrhenius == together.arrhenius
    assert pooled.activation_energy_eV == together.activation_energy_eV


def test_the_spread_of_the_glasses_is_part_of_the_error(documents):
    pooled = pool(documents)
    for result, truth in zip(pooled.results, TRUTH.values(), strict=True):
        low, high = result.self_diffusivity.interval()
        assert low < truth * 1e-3 < high
        single = documents[0].results[pooled.results.index(result)].self_diffusivity
        assert result.self_diffusivity.relative_error > single.relative_error / np.sqrt(3)
    assert pooled.densities[0].density_g_per_cm3.values == [2.0, 2.1, 2.2]


def test_several_runs_of_one_glass_stay_one_system(documents):
    pooled = pool([of_glass(7, n_runs=2), *documents[:2]])
    assert pooled.systems[0] == [0, 0, 1, 2]


def test_a_pool_can_be_pooled_again(documents):
    again = pool([pool(documents[:2]), documents[2]])
    assert again.results == pool(documents).results


def test_temperatures_of_some_documents_only(documents):
    pooled = pool([*documents, of_glass(5, {600.0: TRUTH[600.0]})])
    assert [len(runs) for runs in pooled.replicas] == [3, 4]
    assert pooled.systems == [[0, 1, 2], [0, 1, 2, 3]]
    found = [[int(system) for system in result.self_of_systems] for result in pooled.results]
    assert found == pooled.systems
    alone = pool([of_glass(5, {600.0: TRUTH[600.0]}), documents[0]])
    assert [list(point.of_systems) for point in alone.arrhenius.points] == [["1"], ["0", "1"]]


def test_refusals(documents):
    with pytest.raises(InputError, match="no documents to combine"):
        pool([])
    with pytest.raises(InputError, match="different phases"):
        pool([documents[0], of_glass(1, phase="crystalline")])
    thinned = pool(documents).model_copy(update={"replicas": [], "systems": []})
    with pytest.raises(InputError, match="has lost its single runs"):
        pool([documents[0], thinned])
    bare = documents[0].model_copy(update={"results": []})
    with pytest.raises(InputError, match="without results of dynamics"):
        pool([bare])


def test_the_order_of_the_runs_does_not_matter():
    """Glasses of different densities, without diffusion at the lowest temperature."""
    still = [
        of_glass(seed, {400.0: 0.0, **TRUTH}, side=side) for seed, side in ((1, 12.0), (2, 12.6))
    ]
    forward, backward = pool(still), pool(still[::-1])
    assert forward.results[0].diffusivity_bound_cm2_s is not None
    for quantity in ("sigma_300K", "activation_energy_eV"):
        assert getattr(forward, quantity) is not None
    assert forward.sigma_300K.value == pytest.approx(backward.sigma_300K.value, rel=1e-9)
    assert forward.results[0].conductivity_bound_mS_cm == pytest.approx(
        backward.results[0].conductivity_bound_mS_cm, rel=1e-9
    )
