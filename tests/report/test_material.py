"""Which documents a report shows, and which of their energies may be subtracted."""

import pytest

from vitrion.amorphous.document import numbered
from vitrion.comparison.side_by_side import compare
from vitrion.materials.material import MaterialReport
from vitrion.materials.quantities import quantities_of
from vitrion.materials.stored_report import quantity_fields, stored_report


def test_a_landscape_stands_beside_the_hosts_that_it_joins(reports):
    """Of five glasses the last three, which are as many as the landscape has."""
    glass = reports[1]
    earlier = [
        document.model_copy(update={"last_updated": document.last_updated.replace(year=year)})
        for document, year in zip(glass.defects, (2001, 2002), strict=False)
    ]
    report = MaterialReport.from_documents([*glass.documents, *earlier])
    assert report.landscape.n_replicas == 3
    assert [id(document) for document in report.defects] == [id(d) for d in glass.defects]
    assert {id(document) for document in report.older} == {id(d) for d in earlier}


def test_the_fields_that_are_read_give_the_quantities_of_the_whole_documents(reports):
    for report in reports:
        stored = [
            {
                name: value
                for name, value in document.model_dump(mode="json").items()
                if name in (*quantity_fields(document.property_name), "property_name")
            }
            for document in report.documents
        ]
        found = quantities_of(stored_report(stored))
        assert found == quantities_of(report)
        assert len(found) >= 9


def test_energies_of_different_potentials_have_no_difference(reports):
    """Each potential has a zero of energy of its own."""
    spec = reports[0].conductivity.provenance.potential
    other = spec.model_copy(update={"sha256": "0" * 64})

    def made_with(potential, documents):
        return MaterialReport.from_documents(
            document.model_copy(
                update={
                    "provenance": document.provenance.model_copy(update={"potential": potential})
                }
            )
            for document in documents
        )

    crystal = made_with(spec, [reports[0].polymorphs])
    row, apart = (
        next(row for row in compare(crystal, glass).rows if row.unit == "eV/atom")
        for glass in (made_with(potential, reports[1].glasses) for potential in (spec, other))
    )
    lowest = reports[0].polymorphs.polymorphs[0].energy_eV_per_atom
    mean = sum(glass.energy_eV_per_atom for glass in reports[1].glasses) / 2
    assert row.change.value == pytest.approx(mean - lowest)
    assert apart.change is None
    assert apart.values == row.values


def test_glasses_keep_the_numbers_of_their_jobs(reports):
    (glass, *_) = reports[1].glasses
    later, first, third = (glass.model_copy(update={"replica": n}) for n in (2, 1, 3))
    assert numbered([later, first, third]) == [(1, first), (2, later), (3, third)]
    assert [number for number, _ in numbered([third, first])] == [1, 3]  # the second failed
    assert [number for number, _ in numbered([glass, glass])] == [1, 2]
