import hashlib

import pytest

from vitrion.distill.document import PotentialDoc
from vitrion.errors import InputError, PotentialError
from vitrion.potentials import (
    check_elements,
    describe_potential,
    get_potential,
    list_potentials,
)
from vitrion.potentials.spec import sha256_of, verify_file


def test_every_listed_potential_has_the_file_its_hash_names():
    specs = list_potentials()
    assert {"vitrion-lipof", "chgnet", "chgnet-r2scan"} <= {spec.name for spec in specs}
    for spec in specs:
        assert sha256_of(verify_file(spec)) == spec.sha256
        assert {"Li", "P", "O", "F"} <= set(spec.elements)


def test_an_unknown_name_suggests_a_known_one():
    with pytest.raises(InputError, match="did you mean 'chgnet'"):
        get_potential("chgnett")


def test_unknown_elements_are_named():
    check_elements(get_potential("chgnet"), ["Li", "F"])
    with pytest.raises(InputError, match="does not know At, Po"):
        check_elements(get_potential("chgnet"), ["Li", "Po", "At"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CHGNet", "did you mean 'chgnet'"),
        ("vitrion-lipo", "did you mean 'vitrion-lipof'"),
        ("mace:medim-mpa-0", "neither a file nor a MACE foundation model; did you mean 'medium-m"),
        ("mace:", "'' is neither a file nor"),
        ("mace:medium-mpa-0#abc", "'abc' is not a SHA-256 of 64 hexadecimal digits"),
        ("orb-v3", "There is no potential 'orb-v3': known are vitrion-lipof"),
    ],
)
def test_an_unknown_name_of_any_backend_is_bad_input(name, words):
    with pytest.raises(InputError, match=words) as caught:
        get_potential(name)
    assert "\n" not in str(caught.value)


def test_a_potential_of_an_absent_package_is_bad_input(monkeypatch):
    monkeypatch.setattr("vitrion.potentials.registry.find_spec", lambda name: None)
    with pytest.raises(InputError, match="needs the package chgnet: pip install"):
        get_potential("chgnet")


def test_a_missing_file_and_a_wrong_hash_are_refused(tmp_path):
    with pytest.raises(InputError, match="neither a file nor"):
        get_potential(f"mace:{tmp_path}/no.model")
    model = tmp_path / "my.model"
    model.write_bytes(b"weights")
    right = hashlib.sha256(b"weights").hexdigest()
    assert verify_file(get_potential(f"mace:{model}#{right}")) == model
    assert verify_file(get_potential(f"mace:{model}#{right.upper()}")) == model
    with pytest.raises(InputError, match=r"SHA-256 .* name the right file or hash"):
        verify_file(get_potential(f"mace:{model}#{'0' * 64}"))
    damaged = get_potential("vitrion-lipof").model_copy(update={"path": model})
    with pytest.raises(PotentialError, match=r"SHA-256 .* download it again"):
        verify_file(damaged)


def test_the_document_states_the_hash_of_the_file_in_use(tmp_path):
    model = tmp_path / "my.model"
    model.write_bytes(b"weights")
    assert get_potential(f"mace:{model}").sha256 is None
    assert describe_potential(f"mace:{model}").sha256 == hashlib.sha256(b"weights").hexdigest()


def test_the_student_without_dispersion_stays_selectable():
    plain = get_potential("vitrion-lipof-pbe")
    assert plain.version == "0.4.0"
    assert sha256_of(verify_file(plain)) == plain.sha256
    assert PotentialDoc.from_potential(plain).errors  # from its own card
