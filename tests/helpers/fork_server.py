"""Processes that start fast: forks of a server that has imported what they need."""

import multiprocessing
from multiprocessing import forkserver

PRELOADED = []


def fork_server(module):
    """Return a context whose processes are forks of a server that has imported a module.

    A process has one server, which imports only when it starts, so a server without the module is
    replaced.
    """
    context = multiprocessing.get_context("forkserver")
    if module not in PRELOADED:
        PRELOADED.append(module)
        forkserver._forkserver._stop()
        context.set_forkserver_preload(PRELOADED)
        forkserver.ensure_running()
    return context
