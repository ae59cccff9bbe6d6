"""Time steps of output files whose frames ASE reads."""

import pytest
from ase import units

from helpers.reader_checks import INTERVAL_FS, LENGTH, assert_agrees, read
from vitrion.errors import InputError
from vitrion.transport.readers.program_output import stated_time_step_fs


def write_pw_output(path, positions, symbols):
    """Write what is read of the output of pw.x with calculation = 'md'."""
    alat = LENGTH / units.Bohr
    axes = "\n".join(
        f"               a({k + 1}) = (   {row}  )"
        for k, row in enumerate(("1.0 0.0 0.0", "0.0 1.0 0.0", "0.0 0.0 1.0"))
    )
    with path.open("w") as file:
        file.write(
            "\n     Program PWSCF v.7.2 starts on  1Jan2026 at  0: 0: 0\n\n"
            f"     lattice parameter (alat)  = {alat:.6f}  a.u.\n"
            f"     number of atoms/cell      = {len(symbols)}\n"
            "     number of atomic types    = 2\n"
            f"     celldm(1)=  {alat:.6f}  celldm(2)=   0.000000  celldm(3)=   0.000000\n"
            "     crystal axes: (cart. coord. in units of alat)\n"
            f"{axes}\n\n   Cartesian axes\n\n"
            "     site n.     atom                  positions (alat units)\n"
        )
        for i, (symbol, place) in enumerate(zip(symbols, positions[0] / LENGTH, strict=True)):
            x, y, z = place
            file.write(
                f" {i + 1:9d} {symbol:>11}  tau({i + 1:4d}) = ( {x:.9f} {y:.9f} {z:.9f}  )\n"
            )
        file.write("\n     Time step             = 4134.14 a.u.,  100.0000 femto-seconds\n")
        energy = "\n!    total energy              =    -100.00000000 Ry\n"
        for frame in positions[1:]:
            file.write(f"{energy}\nATOMIC_POSITIONS (angstrom)\n")
            for symbol, (x, y, z) in zip(symbols, frame, strict=True):
                file.write(f"{symbol:2} {x:14.8f} {y:14.8f} {z:14.8f}\n")
        file.write(energy)


def test_the_time_step_of_pw_is_read(tmp_path, run, expected):
    path = tmp_path / "pw.out"
    write_pw_output(path, run[0] % LENGTH, run[1])
    assert_agrees(read(path), expected)
    assert_agrees(read(path, frame_interval_fs=INTERVAL_FS), expected)
    with pytest.raises(InputError, match="100 fs apart by what the trajectory states"):
        read(path, frame_interval_fs=1000.0)


@pytest.mark.parametrize(
    ("task", "block", "more", "step"),
    [
        ("0", "1", "", 2.0),
        ("2", "1", "", None),
        ("0", "10", "", None),
        ("0", "1", "   ML_LMLFF = .TRUE.\n", None),
        ("0", "1", "   ML_LMLFF = .FALSE.\n", 2.0),
    ],
)
def test_the_time_step_of_an_outcar_is_read_if_it_holds_all_steps(
    tmp_path, task, block, more, step
):
    path = tmp_path / "OUTCAR"
    path.write_text(
        f" vasp.6.4.2\n{more} Ionic relaxation\n"
        f"   NBLOCK = {block:>6};   KBLOCK =     10    inner block; outer block\n"
        f"   IBRION = {task:>6}    ionic relax: 0-MD 1-quasi-New 2-CG\n"
        "   POTIM  = 2.0000    time-step for ionic-motion\n"
    )
    assert stated_time_step_fs(path) == step
