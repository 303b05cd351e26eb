"""What the machine can do: which devices may be asked for, and in which precision they work."""

from types import SimpleNamespace

import pytest
import torch

from crosspatch.errors import SettingsError
from crosspatch.models.runtime import choose_device, choose_precision


def test_the_cpu_is_always_there():
    assert choose_device("cpu") == torch.device("cpu")


def test_auto_is_what_no_wish_gives():
    assert choose_device("auto") == choose_device(None)


@pytest.mark.parametrize("wish", ["meta", "cpu:0", "gpu", "", "CUDA", "xla"])
def test_what_is_no_device_of_ours_is_refused(wish):
    with pytest.raises(SettingsError, match=r"choose auto, cpu, cuda or mps$"):
        choose_device(wish)


@pytest.mark.parametrize("wish", ["cuda:0", "cuda:1"])
def test_a_device_by_number_is_refused_with_what_chooses_one(wish):
    with pytest.raises(SettingsError, match=f"--device {wish}: .*CUDA_VISIBLE_DEVICES"):
        choose_device(wish)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_this_machine_lacks_is_said():
    with pytest.raises(SettingsError, match="--device cuda: not usable on this machine"):
        choose_device("cuda")


def test_a_torch_without_onednn_has_no_bf16_on_the_cpu(monkeypatch):
    """As the wheels for macOS on ARM: the operator that would tell is not there either."""
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace())
    assert choose_precision("auto", torch.device("cpu")) == "fp32"
