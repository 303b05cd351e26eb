"""Engines that another process loads from a note: never from another model."""

import pytest

from crosspatch.errors import CrosspatchError
from crosspatch.prediction import cluster
from crosspatch.prediction.engines import EngineWish
from pixelwise import save_pixelwise_model


def test_a_model_that_was_replaced_is_not_taken_for_the_one_that_is_meant(tmp_path):
    old = save_pixelwise_model(tmp_path / "model")
    wanted = EngineWish(old.path, old.fingerprint, device="cpu")
    loaded = cluster._engine(wanted)
    assert cluster._engine(wanted) is loaded
    new = save_pixelwise_model(tmp_path / "other", mean=(50.0,) * 3)
    asked = EngineWish(old.path, new.fingerprint, device="cpu")
    for file in new.path.iterdir():
        file.replace(old.path / file.name)
    with pytest.raises(CrosspatchError, match="is another model than the one that was asked for"):
        wanted.load()
    assert cluster._engine(asked) is not loaded
