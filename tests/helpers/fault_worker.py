"""A worker for the fault tests: what ``rlaunch rapidfire`` does, in a process that forks fast.

Importing FireWorks and atomate2 takes seconds; a fork server does it once, so that many workers can
be started and killed: see :mod:`helpers.forked_workers`.
"""

import datetime
import logging
import os
import sys
from types import SimpleNamespace

from fireworks import FWorker, LaunchPad
from fireworks.core import firework, rocket
from fireworks.core.rocket_launcher import rapidfire

from helpers import fireworks_jobs  # noqa: F401 - imported once, in the fork server


def work(folder, number, ping_s=None, clock_off_s=0.0):
    """Run all that is ready, and what becomes ready, as ``rlaunch rapidfire --nlaunches 0``.

    The interval of its reports and its clock may be changed.
    """
    if ping_s is not None:
        rocket.PING_TIME_SECS = ping_s
    if clock_off_s:
        shift_clock(clock_off_s)
    os.setsid()  # the kill takes along what the worker starts
    logging.disable(logging.CRITICAL)
    launches = os.path.join(folder, "launches")
    os.makedirs(launches, exist_ok=True)
    os.chdir(launches)
    log = os.open(os.path.join(folder, f"worker-{number}.log"), os.O_WRONLY | os.O_CREAT)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    launchpad = LaunchPad.from_file(os.path.join(folder, "my_launchpad.yaml"))
    rapidfire(launchpad, FWorker(), nlaunches=0, sleep_time=0.2, strm_lvl="CRITICAL")


def shift_clock(seconds):
    """Shift the clock of FireWorks in this process."""

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + datetime.timedelta(seconds=seconds)

        @classmethod
        def utcnow(cls):
            return cls.now(datetime.UTC).replace(tzinfo=None)

    if firework.datetime is datetime.datetime:  # FireWorks 2.0 imports the class
        firework.datetime = Clock
    else:
        firework.datetime = SimpleNamespace(**{**vars(datetime), "datetime": Clock})
