"""What the machine can do: which devices may be asked for, and in which precision they work."""

from types import SimpleNamespace

import pytest
import torch

from crosspatch.errors import CrosspatchError, SettingsError
from crosspatch.models.runtime import choose_device, choose_precision, memory_explained


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


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nmore of that"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GiB). Tried to allocate 2 GiB."),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 2 GiB."),
    ],
    ids=["CUDA", "MPS", "Windows"],
)
def test_every_device_of_too_little_memory_is_said_with_what_to_do(error):
    with (
        pytest.raises(CrosspatchError, match=r"too little memory \(.* 2 GiB\.\): ask for less$"),
        memory_explained("ask for less"),
    ):
        raise error


def test_a_cpu_of_too_little_memory_is_said_with_what_to_do():
    with (
        pytest.raises(CrosspatchError, match=r"too little memory \(.*\): ask for less$"),
        memory_explained("ask for less"),
    ):
        torch.empty(2**60, dtype=torch.uint8)


def test_what_is_not_about_memory_stays_what_it_is():
    with pytest.raises(RuntimeError, match=r"^shapes differ$"), memory_explained("ask for less"):
        raise RuntimeError("shapes differ")
