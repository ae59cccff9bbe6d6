"""The document of a potential says of it what its card and its file say."""

import hashlib

import bson
import pytest
from monty.json import MontyDecoder, jsanitize

from vitrion.distill.document import PotentialDoc
from vitrion.errors import InputError
from vitrion.potentials import get_potential
from vitrion.potentials.student import STUDENT_NAME, student_card, student_path


def test_the_shipped_student_brings_its_card():
    document = PotentialDoc.from_potential(STUDENT_NAME)
    card = student_card()
    assert document.sha256 == hashlib.sha256(student_path().read_bytes()).hexdigest()
    assert sorted(element.symbol for element in document.elements) == sorted(card["elements"])
    assert "7net" in document.teacher
    assert [entry.regime for entry in document.errors] == [
        entry["regime"] for entry in card["validation"]
    ]
    worst = max(entry["force_rmse_meV_per_A"] for entry in card["validation"])
    assert document.worst_force_rmse_meV_per_A == worst > 0
    assert document.provenance.potential.path is None, "no path of the machine it was made on"


def test_a_potential_without_a_card_says_what_is_known():
    document = PotentialDoc.from_potential("chgnet")
    assert document.functional == "PBE / PBE+U"
    assert document.nelements == 89
    assert (document.errors, document.worst_force_rmse_meV_per_A) == ([], None)
    with pytest.raises(InputError, match="no potential"):
        PotentialDoc.from_potential("chgnett")


def test_another_file_of_the_same_name_has_not_the_card_of_the_shipped_one():
    older = get_potential(STUDENT_NAME).model_copy(update={"sha256": "0" * 64})
    document = PotentialDoc.from_potential(older)
    assert (document.errors, document.teacher) == ([], None)


def test_it_survives_json_bson_and_monty():
    document = PotentialDoc.from_potential(STUDENT_NAME, used_by={"conductivity": 2})
    assert PotentialDoc.model_validate_json(document.model_dump_json()) == document
    stored = bson.decode(bson.encode(jsanitize(document, strict=True, allow_bson=True)))
    assert MontyDecoder().process_decoded(stored) == document
