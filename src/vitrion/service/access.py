"""Access control of the web service: localhost only, or by token."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import secrets
from typing import TYPE_CHECKING

from fastapi.responses import JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from vitrion.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI, Request, Response

OPEN_PATHS = ("/heartbeat",)
_LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


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

    @app.middleware("http")
    async def authorize(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        is_open = token is None or request.url.path in OPEN_PATHS
        if is_open or _is_right(request.headers.get("authorization", ""), str(token)):
            answer = await call_next(request)
        else:
            answer = JSONResponse({"detail": "A token is required."}, status_code=401)
            answer.headers["WWW-Authenticate"] = 'Basic realm="vitrion: the token as password"'
        answer.headers.update(_HEADERS)
        return answer

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
