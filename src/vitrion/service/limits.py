"""Limits of the web service: requests at once, time of a request, abandoned requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi.responses import JSONResponse

from vitrion.runtime.work_limit import WorkLimit, limited
from vitrion.service.access import OPEN_PATHS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

AT_ONCE = 4
"""Requests that are answered at the same time; others wait."""
MAX_WAITING = 200
"""Requests that may wait; others are refused."""
REQUEST_SECONDS = 10.0
"""Time in which a request is answered, else stopped."""


class RequestLimits:
    """ASGI middleware that bounds the work of the service.

    A few requests are answered at a time, the others wait without a thread, so the event loop
    remains free, e.g. for ``/heartbeat``. A request stops when its client disconnects or its time
    is over; requests beyond the queue are refused with status 503.

    Parameters
    ----------
    app
        The application.
    at_once, max_waiting, seconds
        See the constants of this module.
    """

    def __init__(
        self,
        app: ASGIApp,
        at_once: int = AT_ONCE,
        max_waiting: int = MAX_WAITING,
        seconds: float = REQUEST_SECONDS,
    ) -> None:
        self.app = app
        self._free = asyncio.Semaphore(at_once)
        self._most = at_once + max_waiting
        self._seconds = seconds
        self._present = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request within the limits."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self.app(scope, receive, send)
            return
        if self._present >= self._most:
            busy = JSONResponse(
                {"detail": "The service is busy: try again later."},
                status_code=503,
                headers={"Retry-After": "5"},
            )
            await busy(scope, receive, send)
            return
        self._present += 1
        try:
            await self._answer(scope, receive, send)
        finally:
            self._present -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit, gone, started = WorkLimit(self._seconds), asyncio.Event(), asyncio.Event()

        async def receive_once() -> Message:
            if not received:
                received.append(True)
                return {"type": "http.request", "body": b"", "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def work() -> None:
            async with self._free:
                started.set()
                limit.restart()
                with limited(limit):
                    await self.app(scope, receive_once, send)

        received: list[bool] = []
        working = asyncio.create_task(work())
        watching = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                limit.cancel()
                gone.set()
                if not started.is_set():
                    working.cancel()  # later, its thread must end before others may start
            await asyncio.wait({working})
            if not working.cancelled():
                working.result()
        finally:
            watching.cancel()


async def _wait_for_disconnect(receive: Receive) -> None:
    """Read the request, whose body is not used, and return when the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
