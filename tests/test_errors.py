"""One family of errors, each of which a caller can tell from the others."""

import pickle

import pytest

from crosspatch import errors
from crosspatch.errors import CrosspatchError, InputError, LeakError, MissingExtraError

FAMILY = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and value.__module__ == errors.__name__
]


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_is_caught_as_one_of_ours(kind):
    assert issubclass(kind, CrosspatchError)
    assert kind.__doc__


def test_a_leak_is_bad_input_too():
    assert issubclass(LeakError, InputError)


def test_a_missing_extra_says_what_to_type():
    message = str(MissingExtraError("reading GeoTIFF", "geo"))
    assert message == "reading GeoTIFF needs an extra: pip install 'crosspatch[geo]'"


def test_an_error_survives_the_way_back_from_a_worker_process():
    """A pool pickles the error of a worker; one that cannot be unpickled hangs or hides it."""
    error = MissingExtraError("reading GeoTIFF", "geo")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    plain = pickle.loads(pickle.dumps(InputError("kelp.png: is empty")))
    assert isinstance(plain, InputError)
    assert str(plain) == "kelp.png: is empty"
