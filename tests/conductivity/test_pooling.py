"""Documents of independent runs, combined."""

import numpy as np
import pytest

from helpers.pooled_glasses import TRUTH, of_glass
from vitrion.amorphous.document import glass_document
from vitrion.amorphous.pack import pack
from vitrion.conductivity.document import ConductivityDoc
from vitrion.conductivity.pooling import pool
from vitrion.errors import InputError
from vitrion.potentials.trust import ForceCheck, NoveltyReport, TrustReport


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


def test_what_was_not_made_in_the_same_way_is_named(documents):
    def doubled(run):
        twice = {name: 2 * getattr(run, name) for name in ("n_mobile", "n_framework", "volume_A3")}
        atoms = {symbol: 2 * number for symbol, number in run.atoms.items()}
        return run.model_copy(update={**twice, "atoms": atoms})

    replicas = [[doubled(run) for run in runs] for runs in documents[2].replicas]
    large = documents[2].model_copy(update={"replicas": replicas})
    packed = pack("Li2CO3", n_atoms=48, seed=1).structure
    glasses = [glass_document(packed, quench_rate_K_per_ps=rate) for rate in (0.5, 50.0)]
    run = documents[0].replicas[0][0]
    size = run.n_mobile + run.n_framework
    assert pool([documents[0], large], glasses).remarks == [
        f"Cells of {size} to {2 * size} atoms are combined.",
        "Glasses quenched at 0.5 to 50 K/ps are combined.",
    ]
    assert pool(documents[:2], glasses[:1]).remarks == []


def trust(scores, threshold=1.0, reference=None, rms=1000.0):
    outside = sum(score > threshold for score in scores)
    check = ForceCheck(
        reference=str(reference),
        n_frames=len(scores),
        force_rmse_meV_per_A=0.1 * rms,
        force_mae_meV_per_A=0.08 * rms,
        reference_force_rms_meV_per_A=rms,
        force_slope=0.9,
    )
    known = NoveltyReport(
        n_frames=len(scores),
        scores=scores,
        threshold=threshold,
        fraction_outside=outside / len(scores),
        worst_frame=int(np.argmax(scores)),
        worst_element="O" if outside else "Li",
    )
    return TrustReport(
        potential="student",
        novelty=known,
        force_check=check if reference else None,
        left_trained_range=outside > 0,
        statement="",
    )


def test_the_trust_in_the_potential_is_that_of_all_runs(documents):
    reports = [
        trust([0.2, 0.4], reference="a"),
        trust([0.3, 1.2, 0.5, 0.1], reference="a", rms=500.0),
    ]
    runs = [d.model_copy(update={"trust": t}) for d, t in zip(documents, reports, strict=False)]
    found = pool(runs).trust
    assert found.novelty.scores == [0.2, 0.4, 0.3, 1.2, 0.5, 0.1]
    assert found.novelty.worst_frame == 3
    assert found.left_trained_range
    assert found.statement.startswith(
        "1 of 6 frames left the trained range of 'student' (worst at O, score 1.20 against 1.00)"
    )
    expected = 100.0 * np.sqrt((2 * 1.0 + 4 * 0.25) / 6)
    assert found.force_check.force_rmse_meV_per_A == pytest.approx(expected)
    assert found.force_check.force_slope == pytest.approx(0.9)
    assert found.force_check.n_frames == 6
    other = runs[1].model_copy(update={"trust": trust([0.1], reference="b")})
    assert pool([runs[0], other]).trust.force_check is None
    assert pool([*runs, documents[2]]).trust is None
