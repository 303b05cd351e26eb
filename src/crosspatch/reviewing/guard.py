"""The door of the review page: who may come in, and what a browser may do with what it gets.

The server listens on this machine only, but every page that is open in a browser, and every
program of the machine, can reach that. So: a secret in the link that is printed, kept in a cookie
after the first visit; the ``Host`` must be ours (a hostile name that resolves to 127.0.0.1 is not);
whatever a foreign page sends is refused by ``Origin`` and ``Sec-Fetch-Site``; and what is served
may load nothing from elsewhere, be shown in no frame, and be kept in no cache.
"""

import hmac
import html
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, QueryParams
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE = ("GET", "HEAD")
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Headers of every response."""

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>crosspatch review</title>
<link rel="icon" href="/static/icon.svg">{refresh}<body><p>{text}</p></body></html>"""


class Guard:
    """Lets requests through to ``app`` that come from our own page, opened by the printed link.

    Parameters
    ----------
    app : what is guarded
    token : the secret of the link
    port : that the server listens on
    """

    def __init__(self, app: ASGIApp, *, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.cookie = f"crosspatch-review-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets here
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(
                        (name.encode(), value.encode())
                        for name, value in HEADERS.items()
                        if name.encode() not in own
                    ),
                ]
            await send(message)

        answer = self._answer(scope, Headers(scope=scope)) or self._app
        await answer(scope, receive, send_with_headers)

    def _answer(self, scope: Scope, headers: Headers) -> Response | None:
        """Return what to say instead of the app; None where the request may pass."""
        host = headers.get("host", "")
        if host not in self._hosts:
            return _refusal(421, "this address is not the review page's")
        opening = scope["method"] == "GET" and scope["path"] == "/"
        given = QueryParams(scope["query_string"]).get("token") if opening else None
        if given is not None and self._is_token(given):
            return self._let_in()
        if why := self._foreign(scope, headers, host):
            return _refusal(403, why)
        if not self._is_token(self._cookie_of(headers)):
            says = "Open the link that crosspatch review printed when it started."
            if opening:
                return HTMLResponse(_PAGE.format(refresh="", text=says), 403)
            return _refusal(403, f"the server does not know this page. {says}")
        return None

    def _foreign(self, scope: Scope, headers: Headers, host: str) -> str:
        """Say why a request cannot be our own page's; empty where it can."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None and origin != f"http://{host}":
            return "a request of another page"
        if site not in (None, "same-origin", "none"):
            return "a request of another page"
        if scope["method"] not in SAFE and origin is None:
            return "a change that does not say which page it comes from"
        return ""

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _cookie_of(self, headers: Headers) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return found.value if found else ""

    def _let_in(self) -> Response:
        """Set the cookie and go on to the page without the secret in its address.

        By a page of our own, not a redirect: a browser that came from elsewhere (a mail, a
        notebook) keeps a strict cookie back all along a chain of redirects.
        """
        refresh = '<meta http-equiv="refresh" content="0; url=/">'
        text = f'Opening <a href="/">{html.escape("the review page")}</a> ...'
        response = HTMLResponse(_PAGE.format(refresh=refresh, text=text))
        response.set_cookie(self.cookie, self._token, httponly=True, samesite="strict", path="/")
        return response


def _refusal(status: int, why: str) -> Response:
    return JSONResponse({"message": why}, status)
