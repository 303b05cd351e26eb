"""Requests to Panoptes that end: answered, refused with a sentence, or given up after a while.

panoptes-client signs in and renews the token. Requests are made here, because that client waits for
an answer without end, does not heed "429 Too Many Requests", repeats the making of a subject whose
answer was lost (two subjects), and does not say when an image did not arrive.
"""

import email.utils
import logging
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from crosspatch import __version__
from crosspatch.feedback.zooniverse.accounts import Account
from crosspatch.feedback.zooniverse.patience import (
    ChangedError,
    NotAllowedError,
    NotThereError,
    Patience,
    UnansweredError,
    ZooniverseError,
)
from crosspatch.feedback.zooniverse.signing import hidden, patiently, sign_in

log = logging.getLogger(__name__)

_JSON_API = "application/vnd.api+json; version=1"
_PAGE = 100


class Answer(NamedTuple):
    """A JSON body, and the ETag that an update has to show again."""

    body: dict[str, Any]
    etag: str | None


class Connection:
    """A signed-in line to Panoptes and Caesar.

    Parameters
    ----------
    account : from `find_account`
    patience : how often and how long to try

    Raises
    ------
    MissingExtraError
        panoptes-client is not installed.
    NotAllowedError
        There is nobody to sign in as, or Zooniverse does not let them in.
    """

    def __init__(self, account: Account, patience: Patience | None = None) -> None:
        self.account = account
        self.patience = patience or Patience()
        self._client = sign_in(account, self.patience)
        import requests

        # At DEBUG it would log addresses, whose queries are signatures.
        logging.getLogger("urllib3").setLevel(logging.INFO)
        self._session = requests.Session()
        self._session.headers["User-Agent"] = f"crosspatch/{__version__}"
        self._broken = (requests.RequestException, ConnectionError, TimeoutError)

    def get(self, path: str, **query: Any) -> Answer:
        """Ask for something under ``/api``."""
        return self._api("GET", path, params=query)

    def put(self, path: str, body: Mapping[str, Any], etag: str | None) -> Answer:
        """Change something under ``/api`` that was read with this ETag; may be repeated."""
        return self._api("PUT", path, json=body, headers={"If-Match": etag} if etag else {})

    def post(self, path: str, body: Mapping[str, Any], *, repeatable: bool = False) -> Answer:
        """Make something under ``/api``.

        Parameters
        ----------
        path, body
        repeatable : doing it twice does no harm; else a lost answer raises `UnansweredError`
        """
        return self._api("POST", path, json=body, repeatable=repeatable)

    def delete(self, path: str, etag: str | None) -> None:
        """Delete something under ``/api`` that was read with this ETag."""
        self._api("DELETE", path, headers={"If-Match": etag} if etag else {})

    def pages(self, path: str, *, backwards: bool = False, **query: Any) -> Iterator[list[Any]]:
        """Ask for a list page by page: each a list of what the last part of ``path`` names."""
        slug = path.rsplit("/", 1)[-1]
        first = self.get(path, page_size=_PAGE, page=1, **query).body
        last = max(1, int(first.get("meta", {}).get(slug, {}).get("page_count") or 1))
        for page in range(last, 0, -1) if backwards else range(1, last + 1):
            body = first
            if page > 1:
                body = self.get(path, page_size=_PAGE, page=page, **query).body
            yield body.get(slug) or []

    def caesar(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask Caesar, which holds proposals; everything asked of it may be repeated."""
        if self.account.caesar is None:
            raise ZooniverseError(
                "PANOPTES_ENDPOINT is no server whose Caesar is known: set CAESAR_ENDPOINT too"
            )
        headers = {"Accept": "application/json"}
        response = self._send(
            method, f"{self.account.caesar}/{path}", json=body, headers=headers, signed=True
        )
        return _json_of(response) if response.content else {}

    def upload(self, url: str, data: bytes, mime: str) -> None:
        """Put a file where Panoptes said; may be repeated."""
        headers = {"Content-Type": mime, "x-ms-blob-type": "BlockBlob"}
        self._send("PUT", url, data=data, headers=headers)

    def open(self, url: str, headers: Mapping[str, str], allowed: tuple[int, ...] = ()) -> Any:
        """Begin a download; the caller reads and closes the answer, and it is not signed."""
        return self._send("GET", url, headers=headers, stream=True, allowed=allowed)

    @property
    def broken(self) -> tuple[type[Exception], ...]:
        """What reading a download raises when the line breaks."""
        from urllib3.exceptions import HTTPError

        return (*self._broken, HTTPError)

    def _api(self, method: str, path: str, **more: Any) -> Answer:
        headers = {"Accept": _JSON_API, **more.pop("headers", {})}
        if method != "GET":
            headers["Content-Type"] = "application/json"
        url = f"{self.account.endpoint}/api/{path}"
        response = self._send(method, url, headers=headers, signed=True, **more)
        body = _json_of(response) if response.content else {}
        return Answer(body if isinstance(body, dict) else {}, response.headers.get("ETag"))

    def _send(
        self,
        method: str,
        url: str,
        *,
        repeatable: bool = True,
        signed: bool = False,
        allowed: tuple[int, ...] = (),
        stream: bool = False,
        **more: Any,
    ) -> Any:
        """Send a request until it is answered for good or patience ends."""
        problem, renewed = "", False
        for attempt in range(self.patience.tries):
            wait = self.patience.wait(attempt)
            try:
                response = self._once(method, url, signed=signed, stream=stream, **more)
            except self._broken as error:
                problem = f"the connection broke ({type(error).__name__})"
                if not repeatable:
                    raise UnansweredError(self._sentence(method, url, problem)) from None
            else:
                status = response.status_code
                if status < 400 or status in allowed:
                    return response
                said = "" if stream else _said(response)
                response.close()
                if status == 401 and signed and not renewed:
                    self._client.bearer_token, renewed = None, True
                    continue
                if status < 500 and status not in (408, 429):
                    raise self._refusal(method, url, status, said)
                problem = f"the server answered {status}"
                if status not in (408, 429) and not repeatable:
                    raise UnansweredError(self._sentence(method, url, problem))
                wait = max(wait, _retry_after(response))
            if attempt + 1 < self.patience.tries:
                self._pause(problem, wait)
        sentence = self._sentence(method, url, problem)
        raise ZooniverseError(f"{sentence}, {self.patience.tries} times; try again later")

    def _pause(self, problem: str, wait: float) -> None:
        if wait > 10 * self.patience.longest_wait:
            raise ZooniverseError(
                f"{problem} and asks to wait {wait / 60:.0f} minutes: run the same command later"
            )
        if wait >= 5:
            log.info("%s; trying again in %.0f s", problem, wait)
        time.sleep(wait)

    def _once(self, method: str, url: str, *, signed: bool, **more: Any) -> Any:
        token = self._token() if signed else None

        def sign(request: Any) -> Any:  # an auth of our own also keeps ~/.netrc out of it
            if token is not None:
                request.headers["Authorization"] = f"Bearer {token}"
            return request

        timeout = (min(20.0, self.patience.timeout), self.patience.timeout)
        return self._session.request(method, url, auth=sign, timeout=timeout, **more)

    def _token(self) -> str | None:
        token = patiently(self._client.get_bearer_token, self.account, self.patience)
        return None if token is None else str(token)

    def _refusal(self, method: str, url: str, status: int, said: str) -> ZooniverseError:
        kinds = {401: NotAllowedError, 403: NotAllowedError, 404: NotThereError, 410: NotThereError}
        kinds |= {409: ChangedError, 412: ChangedError}
        reason = f"{status}: {hidden(said, self.account)}" if said else str(status)
        return kinds.get(status, ZooniverseError)(self._sentence(method, url, reason))

    def _sentence(self, method: str, url: str, problem: str) -> str:
        parts = urlsplit(url)  # the query may hold a signature
        return f"{method} {parts.hostname}{parts.path}: {problem}"


def _said(response: Any) -> str:
    """Read what an error of the JSON API says in words."""
    try:
        body = response.json()
    except ValueError:
        return ""
    errors = body.get("errors") if isinstance(body, dict) else None
    if isinstance(errors, list):
        words = (one.get("message", "") if isinstance(one, dict) else one for one in errors)
        return "; ".join(str(word) for word in words if word)
    error = body.get("error", "") if isinstance(body, dict) else ""
    return str(error)


def _json_of(response: Any) -> Any:
    try:
        return response.json()
    except ValueError:
        raise UnansweredError("Zooniverse's answer is no JSON; try again later") from None


def _retry_after(response: Any) -> float:
    """Seconds that the server asks to wait: a number or a date."""
    text = response.headers.get("Retry-After", "")
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0
