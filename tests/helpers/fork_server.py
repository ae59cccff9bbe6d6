"""Processes that start fast: forks of a server that has imported what they need."""

import multiprocessing
import sys
from multiprocessing import forkserver

from vitrion.runtime.runner import SLOW_IMPORTS

PRELOADED = []


def fork_server(module):
    """Return a context whose processes are forks of a server that has imported a module.

    A process has one server, which imports only when it starts, so a server without the module is
    replaced. The new one serves the runner, too, whose workers would import what it lacks each.
    """
    context = multiprocessing.get_context("forkserver")
    if module not in PRELOADED:
        PRELOADED.append(module)
        forkserver._forkserver._stop()
        slow = [name for name in SLOW_IMPORTS if name in sys.modules]
        context.set_forkserver_preload([*PRELOADED, *slow])
        forkserver.ensure_running()
    return context
