"""Trajectory files as the programs write them, from positions."""

import h5py
import numpy as np


def cubic_bounds(length):
    """Return the box of a LAMMPS dump."""
    return lambda k: "ITEM: BOX BOUNDS pp pp pp\n" + f"0.0 {length}\n" * 3


def write_lammps(path, positions, labels, box, columns="id element x y z", **options):
    """Write a LAMMPS dump; ``box(k)`` gives the lines of the box of a frame."""
    steps = options.get("steps", 50 * np.arange(len(positions)))
    extra = options.get("extra", lambda k, i: "")
    head = options.get("head", lambda k: "")
    order = options.get("order", lambda k: range(len(labels)))
    with path.open("w") as file:
        for k, frame in enumerate(positions):
            file.write(
                f"{head(k)}ITEM: TIMESTEP\n{steps[k]}\nITEM: NUMBER OF ATOMS\n{len(frame)}\n"
            )
            file.write(f"{box(k)}ITEM: ATOMS {columns}\n")
            for i in order(k):
                x, y, z = frame[i]
                file.write(f"{i + 1} {labels[i]} {x:.8f} {y:.8f} {z:.8f}{extra(k, i)}\n")


def write_xdatcar(path, positions, cell, names="Li O", counts="10 20", **options):
    """Write an XDATCAR; ``every`` repeats the header, ``mark(k)`` begins a frame."""
    comment, every = options.get("comment", "run"), options.get("every", False)
    mark = options.get("mark", lambda k: f"Direct configuration= {k + 1:5d}")
    cells = np.broadcast_to(cell, (len(positions), 3, 3))
    with path.open("w") as file:
        for k, frame in enumerate(positions):
            if k == 0 or every:
                rows = "".join("{:12.7f}{:12.7f}{:12.7f}\n".format(*row) for row in cells[k])
                file.write(f"{comment}\n 1.0\n{rows}{names}\n{counts}\n")
            fractional = frame @ np.linalg.inv(cells[k]) % 1.0
            rows = "".join("{:12.8f}{:12.8f}{:12.8f}\n".format(*row) for row in fractional)
            file.write(f"{mark(k)}\n{rows}")


def write_vasprun(path, positions, cell, labels, tags):
    """Write what is read of a vasprun.xml."""

    def rows(values):
        return "".join(f"<v> {x:.8f} {y:.8f} {z:.8f} </v>\n" for x, y, z in values)

    atoms = "".join(f"<rc><c>{label:<2}</c><c> 1</c></rc>\n" for label in labels)
    settings = "".join(f'<i name="{name}"> {value} </i>\n' for name, value in tags.items())
    with path.open("w") as file:
        file.write(f"<?xml version='1.0'?>\n<modeling>\n<incar>\n{settings}</incar>\n")
        file.write(f'<atominfo><array name="atoms"><set>\n{atoms}</set></array></atominfo>\n')
        for frame in positions:
            file.write(
                f'<calculation><structure><crystal><varray name="basis">\n{rows(cell)}</varray>'
                f'</crystal><varray name="positions">\n{rows(frame @ np.linalg.inv(cell) % 1.0)}'
                "</varray></structure></calculation>\n"
            )
        file.write("</modeling>\n")


def write_vaspout(path, positions, cell, symbols, tags):
    """Write what is read of a vaspout.h5."""
    with h5py.File(path, "w") as file:
        file["intermediate/ion_dynamics/position_ions"] = positions @ np.linalg.inv(cell) % 1.0
        cells = np.broadcast_to(cell / 2, (len(positions), 3, 3))
        file["intermediate/ion_dynamics/lattice_vectors"] = cells
        file["results/positions/scale"] = 2.0
        file["results/positions/ion_types"] = [b"Li", b"O "]
        counts = [symbols.count("Li"), symbols.count("O")]
        file["results/positions/number_ion_types"] = counts
        for name, value in tags.items():
            file[f"input/incar/{name}"] = value


def write_xyz(path, positions, labels, comment):
    """Write an XYZ file; ``comment(k)`` is the second line of a frame."""
    with path.open("w") as file:
        for k, frame in enumerate(positions):
            file.write(f"{len(frame)}\n{comment(k)}\n")
            for label, (x, y, z) in zip(labels, frame, strict=True):
                file.write(f"{label} {x:.8f} {y:.8f} {z:.8f}\n")
