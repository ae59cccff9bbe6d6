"""Access control of the web service: localhost only, or by token."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import secrets
from typing import TYPE_CHECKING

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware

from vitrion.errors import InputError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATHS = ("/heartbeat",)
_LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class TokenGuard:
    """ASGI middleware that requires a token and sets security headers.

    Parameters
    ----------
    app
        The application.
    token
        Required token; None for no token.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self.app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request if it is authorized."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        is_open = self._token is None or scope["path"] in OPEN_PATHS
        given = Headers(scope=scope).get("authorization", "")
        if is_open or _is_right(given, str(self._token)):
            await self.app(scope, receive, send_with_headers)
            return
        refusal = JSONResponse({"detail": "A token is required."}, status_code=401)
        refusal.headers["WWW-Authenticate"] = 'Basic realm="vitrion: the token as password"'
        await refusal(scope, receive, send_with_headers)


def guard(app: FastAPI, token: str | None) -> None:
    """Restrict a service to authorized requests.

    Parameters
    ----------
    app
        The service.
    token
        Token that every request must send, as ``Authorization: Bearer <token>`` or as the password
        of HTTP basic authentication. None requires no token, but accepts only requests to the
        names of this machine, which prevents DNS rebinding by web pages.
    """
    app.add_middleware(TokenGuard, token=token)
    if token is None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=_LOOPBACK)


def check_address(host: str, token: str | None) -> None:
    """Refuse to serve other machines without a token.

    Raises
    ------
    InputError
        If the address is not loopback and the token is absent or too short.
    """
    if token is not None and len(token) < 16:
        raise InputError("The token must have at least 16 characters: set VITRION_TOKEN to one.")
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback and token is None:
        raise InputError(
            f"{host} is reachable from other machines: set VITRION_TOKEN to a secret of at least "
            "16 characters, or serve on 127.0.0.1."
        )


def _is_right(given: str, token: str) -> bool:
    scheme, _, value = given.partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return secrets.compare_digest(value.encode(), token.encode())
