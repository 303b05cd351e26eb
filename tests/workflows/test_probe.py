"""Probes: the same for every start, counted together, gone when they are read."""

from types import SimpleNamespace

import numpy as np
import pytest

from crosspatch.config import parse_settings
from crosspatch.errors import CrosspatchError
from crosspatch.models.transfer import adopt_architecture
from crosspatch.progress import silent
from crosspatch.training.loop import StoppedError
from crosspatch.workflows import probe as module
from crosspatch.workflows.probe import SCRATCH, network_of, probe, why_none
from sources import NETWORK, make_source


@pytest.fixture
def sources(tmp_path):
    dropped = NETWORK.model_copy(update={"dropout": 0.0})
    return [make_source(tmp_path / name, network=dropped) for name in ("em", "photos")]


def probed(monkeypatch, tmp_path, sources, scores, **changes):
    """Run probes whose trainings write a large file and come to these scores, in order."""
    left = iter(scores)

    def train(_, *, out, source, overrides, device):
        out.mkdir()
        (out / "weights").write_bytes(b"large")
        lines = [{"plain_iou": 0.9}, *({"averaged_iou": score} for score in next(left))]
        return SimpleNamespace(metrics=lambda: lines)

    monkeypatch.setattr(module, "train", train)
    given = {"steps": 5, "repeats": 2, "seed": 0, "device": None, "progress": silent} | changes
    return probe(None, sources, folder=tmp_path, **given)


def test_a_repeat_that_one_start_has_no_score_of_counts_for_none(monkeypatch, tmp_path, sources):
    em, photos = (str(model.path) for model in sources)
    first, second = [[0.25] * 3, [0.5] * 3, [0.75] * 3], [[0.0] * 3, [0.0, None, None], [0.0] * 3]
    found = probed(monkeypatch, tmp_path, sources, first + second)
    assert found == {em: (0.25,), photos: (0.5,), SCRATCH: (0.75,)}
    assert probed(monkeypatch, tmp_path, sources[:1], second, repeats=1) == {em: (), SCRATCH: ()}


def test_a_score_is_the_mean_of_the_last_checks(monkeypatch, tmp_path, sources):
    found = probed(monkeypatch, tmp_path, sources[:1], [[0.1, 0.2, 0.6]] * 2, repeats=1)
    assert found[SCRATCH] == pytest.approx((0.3,))


def test_nothing_is_left_of_a_probe(monkeypatch, tmp_path, sources):
    probed(monkeypatch, tmp_path, sources, [[0.5] * 3] * 6)
    assert not list(tmp_path.glob("probe-*"))


def test_all_probes_have_the_same_dropout_and_discriminator(tmp_path, sources):
    bare = make_source(tmp_path / "bare", network=NETWORK, discriminator=False)
    starts = [bare, *sources]
    networks = []
    for model in (*starts, None):
        settings = parse_settings({"network": network_of(model, starts)})
        networks.append((adopt_architecture(settings, model) if model else settings).network)
    assert {one.model_dump_json() for one in networks} == {
        NETWORK.model_copy(update={"dropout": 0.5}).model_dump_json()
    }


def test_without_any_discriminator_the_default_is_everyones(tmp_path):
    bare = make_source(tmp_path / "bare", network=NETWORK, discriminator=False)
    assert network_of(bare, [bare]) == {}
    assert network_of(None, [bare]) == {"width": NETWORK.width, "depth": NETWORK.depth}


def test_a_stopped_probe_does_not_say_how_to_go_on(monkeypatch, tmp_path, sources):
    def train(*_, **__):
        raise StoppedError("go on with: crosspatch train --resume somewhere")

    monkeypatch.setattr(module, "train", train)
    with pytest.raises(CrosspatchError, match=r"^stopped$"):
        probe(None, sources, steps=5, repeats=1, seed=0, device=None, folder=tmp_path,
              progress=silent)  # fmt: skip


def test_why_nothing_is_probed_is_the_true_reason():
    few, many = (SimpleNamespace(table={"group": np.array(list(some))}) for some in ("aab", "abc"))
    assert "no steps" in why_none(few, 0, 3)
    assert "no repeats" in why_none(many, 5, 0)
    assert "too few labelled groups" in why_none(few, 5, 3)
    assert why_none(many, 5, 3) is None
