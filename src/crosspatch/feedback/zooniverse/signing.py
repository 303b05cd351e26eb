"""Signing in to Panoptes by panoptes-client, made to give up in time; secrets stay out of words."""

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from crosspatch.errors import MissingExtraError
from crosspatch.feedback.zooniverse.accounts import HOW, Account
from crosspatch.feedback.zooniverse.patience import NotAllowedError, Patience, ZooniverseError


def sign_in(account: Account, patience: Patience) -> Any:
    """Sign in by panoptes-client, whose session is made to give up in time and to try again."""
    if not account.known:
        raise NotAllowedError(f"nobody to sign in to Zooniverse as: {HOW}")
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    try:
        from panoptes_client import Panoptes
    except ImportError:
        raise MissingExtraError("Zooniverse", "zooniverse") from None
    finally:  # importing it sets up logging for the whole program
        root.level, root.handlers[:] = before
    # "keyring" is a promise that the client does not keep: it makes it not sign in by itself.
    client = Panoptes(
        endpoint=account.endpoint,
        login="keyring",
        client_id=account.client_id,
        client_secret=account.client_secret,
    )
    client.client_secret = account.client_secret
    client.session.mount("https://", _adapter(patience))
    client.session.mount("http://", _adapter(patience))
    if not account.client_secret:
        patiently(lambda: client.login(account.username, account.password), account, patience)
    patiently(client.get_bearer_token, account, patience)
    return client


def _adapter(patience: Patience) -> Any:
    """Make requests of panoptes-client's session end: signing in may be repeated."""
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    class Ending(HTTPAdapter):
        def send(self, *args: Any, **more: Any) -> Any:
            more["timeout"] = more.get("timeout") or patience.timeout
            return super().send(*args, **more)

    again = Retry(
        total=None,
        connect=0,
        read=0,
        other=0,
        status=patience.tries - 1,
        backoff_factor=patience.first_wait,
        backoff_max=patience.longest_wait,
        status_forcelist=(408, 429, 500, 502, 503, 504),
        allowed_methods=None,
    )
    return Ending(max_retries=again)


def patiently(work: Callable[[], Any], account: Account, patience: Patience) -> Any:
    """Let panoptes-client sign in or renew its token; its errors become sentences."""
    import requests
    from panoptes_client.panoptes import PanoptesAPIException

    place, problem = urlsplit(account.endpoint).hostname, ""
    for attempt in range(patience.tries):
        try:
            return work()
        except PanoptesAPIException as error:
            said = hidden(str(error), account)
            raise NotAllowedError(f"{place} does not let {account.name} in: {said}") from None
        except requests.exceptions.RetryError:
            raise ZooniverseError(f"{place} lets nobody in at the moment; try later") from None
        except requests.RequestException as error:
            problem = f"cannot be reached ({type(error).__name__})"
        except (KeyError, ValueError):
            problem = "did not answer as Zooniverse does"
        if attempt + 1 < patience.tries:
            time.sleep(patience.wait(attempt))
    raise ZooniverseError(f"{place} {problem}, {patience.tries} times; try again later")


def hidden(text: str, account: Account) -> str:
    """Take our secrets out of what a server says."""
    for secret in (account.password, account.client_secret):
        if secret:
            text = text.replace(secret, "...")
    return " ".join(text.split())[:300]
