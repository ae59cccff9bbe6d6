"""HTTP connections that slow clients cannot hold open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from asyncio import TimerHandle, Transport

REQUEST_TIMEOUT_S = 15.0
"""Time in which a client must send a complete request."""
RESPONSE_TIMEOUT_S = 60.0
"""Time in which a client must read a response."""
_LOOK_EVERY_S = 1.0


class TimedProtocol(H11Protocol):
    """Uvicorn's HTTP protocol, which closes connections of slow clients.

    Uvicorn itself limits only the time between two requests.
    """

    request_timeout_s = REQUEST_TIMEOUT_S
    response_timeout_s = RESPONSE_TIMEOUT_S
    look_every_s = _LOOK_EVERY_S

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start to observe a new connection."""
        super().connection_made(transport)
        self._receiving_since: float | None = self.loop.time()
        self._sending_since: float | None = None
        self._look_handle: TimerHandle = self.loop.call_later(self.look_every_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the observation."""
        self._look_handle.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        now = self.loop.time()
        self._receiving_since = self._since(self._receiving_since, self._is_receiving, now)
        is_sending = self.transport.get_write_buffer_size() > 0
        self._sending_since = self._since(self._sending_since, is_sending, now)
        if (
            now - (self._receiving_since or now) > self.request_timeout_s
            or now - (self._sending_since or now) > self.response_timeout_s
        ):
            self.transport.abort()
            return
        self._look_handle = self.loop.call_later(self.look_every_s, self._look)

    @property
    def _is_receiving(self) -> bool:
        """Whether a request is incomplete, or none has been sent."""
        cycle: Any = self.cycle
        if cycle is None:
            return True
        if not cycle.response_complete:
            return cycle.more_body
        return self.timeout_keep_alive_task is None

    @staticmethod
    def _since(began: float | None, is_so: bool, now: float) -> float | None:
        return (began if began is not None else now) if is_so else None
