"""Which layers learn how fast, in and after the stage in which copied ones stand still."""

import pytest
import torch
from torch import nn

from crosspatch.config import TransferSettings
from crosspatch.training.rates import layer_groups, set_rates

COPIED = frozenset({"1.weight", "1.bias", "2.weight", "2.bias", "2.running_mean"})


@pytest.fixture
def network():
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4))


def rates(network, step, **transfer):
    settings = TransferSettings(**transfer)
    optimizer = torch.optim.Adam(layer_groups(network, COPIED, settings))
    set_rates(optimizer, 0.01, step, settings)
    return {group["kind"]: group["lr"] for group in optimizer.param_groups}


def test_all_learn_alike_unless_a_warm_start_asks_otherwise(network):
    gentle = TransferSettings(staged_steps=5, copied_rate=0.1)
    for copied, transfer in ((COPIED, TransferSettings()), (frozenset(), gentle)):
        (group,) = layer_groups(network, copied, transfer)
        assert group["params"] == list(network.parameters())
    assert rates(network, 0) == {"fresh": 0.01}


def test_every_parameter_is_in_one_group(network):
    groups = layer_groups(network, COPIED, TransferSettings(copied_rate=0.5))
    sizes = {group["kind"]: [tuple(p.shape) for p in group["params"]] for group in groups}
    assert sizes == {"fresh": [(4, 3, 1, 1), (4,)], "norm": [(4,), (4,)],
                     "copied": [(4, 4, 1, 1), (4,)]}  # fmt: skip


def test_copied_layers_stand_still_then_learn_at_their_own_rate(network):
    gentle = {"staged_steps": 5, "copied_rate": 0.1}
    assert rates(network, 4, **gentle) == {"fresh": 0.01, "norm": 0.01, "copied": 0.0}
    assert rates(network, 5, **gentle) == pytest.approx(
        {"fresh": 0.01, "norm": 0.001, "copied": 0.001}
    )
