"""Running the page: one address of this machine, one process a folder."""

import errno
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import closing

import uvicorn

from crosspatch.errors import CrosspatchError
from crosspatch.reviewing.app import make_app
from crosspatch.reviewing.desk import Desk

HOST = "127.0.0.1"


def listen(port: int) -> socket.socket:
    """Take a port of this machine; 0 takes any that is free.

    Raises
    ------
    CrosspatchError
        Another program has it, or it may not be taken.
    """
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name != "nt":  # there, it would let two programs have one port
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((HOST, port))
        taken.listen()
    except (OSError, OverflowError) as error:
        taken.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise CrosspatchError(
                f"port {port} is in use, perhaps by another review: give another, such as "
                f"--port {port + 1 if port < 65_535 else 8766}, or 0 for any that is free"
            ) from None
        raise CrosspatchError(f"port {port} cannot be used ({error})") from None
    return taken


def serve(
    desk: Desk,
    *,
    port: int,
    ready: Callable[[str], None],
    started: Callable[[uvicorn.Server], None] = lambda server: None,
) -> None:
    """Serve the page until the process is interrupted.

    Parameters
    ----------
    desk : what is reviewed
    port : to listen on; 0 for any
    ready : told the link to open, once it will be answered
    started : given the server, whose ``should_exit`` ends it
    """
    with closing(listen(port)) as taken:
        number = int(taken.getsockname()[1])
        token = secrets.token_urlsafe(32)
        app = make_app(desk, token=token, port=number)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", ws="none",
            server_header=False, timeout_graceful_shutdown=3,
        )  # fmt: skip
        server = uvicorn.Server(config)
        started(server)
        ready(f"http://{HOST}:{number}/?token={token}")
        server.run(sockets=[taken])
