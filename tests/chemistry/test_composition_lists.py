import pytest

from vitrion.chemistry.composition_lists import expand_lists, read_compositions
from vitrion.errors import InputError


def test_compositions_are_read_from_csv_and_from_lines(tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("name,Formula\nsalt,LiF\noxide, Li2O\nsalt,LiF\n")
    assert read_compositions(table) == ["LiF", "Li2O"]
    table.write_text("\ufeffformula;name\nLiF;salt\nLi2O;oxide\n;\n;;\n")
    assert read_compositions(table) == ["LiF", "Li2O"], "as spreadsheets write it"
    lines = tmp_path / "b.txt"
    lines.write_text("# mine\nLiF\n\nLiPO2F2\n")
    assert read_compositions(lines) == ["LiF", "LiPO2F2"]
    empty = tmp_path / "c.csv"
    empty.write_text("formula\n")
    with pytest.raises(InputError, match="no formula"):
        read_compositions(empty)
    with pytest.raises(InputError, match="does not exist"):
        read_compositions(tmp_path / "missing.csv")
    table.write_text("name,composition\nsalt,LiF\n")
    with pytest.raises(InputError, match="no column 'formula'"):
        read_compositions(table)
    table.write_text("a" * 200_000)
    with pytest.raises(InputError, match="is not a table"):
        read_compositions(table)


def test_files_of_compositions_are_replaced_by_their_content(tmp_path):
    table, lines = tmp_path / "a.csv", tmp_path / "b.txt"
    table.write_text("name,formula\nsalt,LiF\n")
    lines.write_text("Li2O\nLi3PO4\n")
    found = expand_lists(["LiPO2F2", str(table), "run.yaml", str(lines)])
    assert found == ["LiPO2F2", "LiF", "run.yaml", "Li2O", "Li3PO4"]
    with pytest.raises(InputError, match="does not exist"):
        expand_lists(["LiF", str(tmp_path / "missing.txt")])
