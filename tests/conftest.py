"""What every test stands on: few threads, no screen, no network."""

import os
import socket

import pytest
from hypothesis import HealthCheck, settings

# Before numpy or torch load, here and in the processes that tests start. One thread a worker:
# two workers on two cores, and sums in the same order every time.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ["MPLBACKEND"] = "Agg"

# A shared machine may stall: no deadline. The same examples every time: a red test stays red.
settings.register_profile(
    "here", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("here")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """A test that would reach another machine fails instead."""
    connect = socket.socket.connect

    def local_only(self, address):
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to connect to {host}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)
