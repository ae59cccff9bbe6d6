"""What the processes of the tests of workers must be able to import."""

import fcntl
import os
import signal
from pathlib import Path

from helpers.pair_potentials import LennardJones, argon, lennard_jones
from vitrion.dynamics.md_settings import MDSettings
from vitrion.dynamics.workers import MDTask, run_many

SHORT = {"timestep_fs": 5.0, "duration_ps": 0.2, "save_interval_fs": 20.0}


def task(folder, name, **settings):
    return MDTask(name, argon(), MDSettings(**{**SHORT, **settings}), folder / name)


class Deadly(LennardJones):
    """Ends its process or raises where the first atom is not argon's; notes its environment."""

    def __init__(self, notes):
        super().__init__()
        (Path(notes) / str(os.getpid())).write_text(os.environ["OMP_NUM_THREADS"])

    def calculate(self, atoms=None, properties=None, system_changes=None):
        if atoms.numbers[0] == 10:
            os.kill(os.getpid(), signal.SIGKILL)
        if atoms.numbers[0] == 36:
            raise RuntimeError("the model is broken")
        super().calculate(atoms, properties)


def parent_of_a_long_run(folder):
    run_many([task(Path(folder), "long", duration_ps=1000.0)], lennard_jones)


class Alone(LennardJones):
    """Refuses to work beside another of its kind."""

    def __init__(self, lock):
        super().__init__()
        self.lock = os.open(lock, os.O_CREAT | os.O_RDWR)  # held until the process ends
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
