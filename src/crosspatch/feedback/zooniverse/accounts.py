"""Who we are on Zooniverse: read from the environment or the panoptes command's own file.

Nothing here is ever written to disk, printed or logged; `Account` hides its secrets in tracebacks.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from crosspatch.errors import SettingsError

ZOONIVERSE = "https://www.zooniverse.org"
STAGING = "https://panoptes-staging.zooniverse.org"
_CAESAR = {
    ZOONIVERSE: "https://caesar.zooniverse.org",
    STAGING: "https://caesar-staging.zooniverse.org",
}
_HERE = ("127.0.0.1", "localhost", "::1")
HOW = (
    "set PANOPTES_USERNAME and PANOPTES_PASSWORD (or PANOPTES_CLIENT_ID and "
    "PANOPTES_CLIENT_SECRET) in the environment, or run 'panoptes configure'"
)


@dataclass(frozen=True)
class Account:
    """Where to sign in, and as whom.

    Attributes
    ----------
    endpoint : str
        Of the Panoptes API, without a slash at its end.
    caesar : str or None
        Of Caesar, which holds proposals; None where it is not known.
    username, password, client_id, client_secret : str or None
        One pair of them is needed; None is anonymous.
    """

    endpoint: str
    caesar: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)

    @property
    def known(self) -> bool:
        """Whether there is anybody to sign in as."""
        by_name = bool(self.username and self.password)
        return by_name or bool(self.client_id and self.client_secret)

    @property
    def name(self) -> str:
        """Who it is, for messages."""
        return self.username or ("the application" if self.client_id else "nobody")


def find_account(environment: Mapping[str, str] | None = None, home: Path | None = None) -> Account:
    """Read the account from ``PANOPTES_...``, else from ``~/.panoptes/config.yml``.

    Raises
    ------
    SettingsError
        An endpoint is no https address (http is for 127.0.0.1 only).
    """
    environment = os.environ if environment is None else environment
    stored = _stored((home or Path.home()) / ".panoptes" / "config.yml")
    given = {
        name: environment.get(f"PANOPTES_{name.upper()}") or None
        for name in ("endpoint", "username", "password", "client_id", "client_secret")
    }
    endpoint = (given["endpoint"] or stored.get("endpoint") or ZOONIVERSE).rstrip("/")
    if endpoint != (stored.get("endpoint") or ZOONIVERSE).rstrip("/"):
        stored = {}  # a password is for the place it was stored for
    if given["username"] or given["client_secret"]:
        stored = {}
    caesar = (environment.get("CAESAR_ENDPOINT") or _CAESAR.get(endpoint) or "").rstrip("/")
    for name, place in (("PANOPTES_ENDPOINT", endpoint), ("CAESAR_ENDPOINT", caesar)):
        _check_place(name, place)
    return Account(
        endpoint,
        caesar or None,
        given["username"] or stored.get("username"),
        given["password"] or stored.get("password"),
        given["client_id"],
        given["client_secret"],
    )


def _check_place(name: str, place: str) -> None:
    """Refuse to send a password over an open line."""
    parts = urlsplit(place)
    if not place or parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _HERE):
        return
    raise SettingsError(f"{name} must be an https address, not {parts.scheme}://{parts.hostname}")


def _stored(path: Path) -> dict[str, str]:
    """Read the flat file of ``panoptes configure``: one ``key: value`` a line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and not key.startswith((" ", "#")):
            found[key.strip()] = _plain_yaml(value.strip())
    return {key: value for key, value in found.items() if value}


def _plain_yaml(text: str) -> str:
    """Read a YAML scalar: plain, 'single' or "double" quoted."""
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return ""
    return "" if text in ("null", "~", "''") else text
