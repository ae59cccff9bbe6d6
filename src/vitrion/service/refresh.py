"""Update the material collections while the service runs, so that it shows new results."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING

from vitrion.database.builders import build_if_changed
from vitrion.errors import VitrionError
from vitrion.runtime.work_limit import WorkLimit, WorkStoppedError, limited

if TYPE_CHECKING:
    from typing import Self

    from vitrion.database.collections import Collections

logger = logging.getLogger(__name__)
EVERY_SECONDS = 5.0
"""Time between two looks for new job outputs."""
SHARE = 0.1
"""Largest share of the time that is spent on updates."""


class Refresher:
    """A thread that builds new job outputs into the collections.

    Parameters
    ----------
    collections
        The collections of a connected JobStore.
    every_seconds
        Time between two looks; longer after updates that take long.
    """

    def __init__(self, collections: Collections, every_seconds: float = EVERY_SECONDS) -> None:
        self.collections = collections
        self.every_seconds = every_seconds
        self._end = threading.Event()
        self._limit = WorkLimit(math.inf)
        self._thread = threading.Thread(target=self._run, name="refresh", daemon=True)

    def __enter__(self) -> Self:
        if not self.collections.is_read_only:
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        self._limit.cancel()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause = self.every_seconds
        while not self._end.wait(pause):
            began = time.monotonic()
            try:
                with limited(self._limit):
                    build_if_changed(self.collections)
            except WorkStoppedError:
                return
            except VitrionError as error:
                logger.warning("The collections were not updated: %s", error)
            except Exception as error:  # the message may contain the address of the database
                logger.warning("The collections were not updated (%s).", type(error).__name__)
            pause = max(self.every_seconds, (time.monotonic() - began) / SHARE)
