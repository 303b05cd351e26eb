"""What the machine can do: device, precision, threads, and how the C library gives memory back."""

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from typing import Literal

import torch

from crosspatch.errors import CrosspatchError, SettingsError

Precision = Literal["auto", "fp32", "bf16"]

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""What CUDA and MPS, the CPU, and the CPU under Windows say; some as a plain RuntimeError."""
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def choose_device(wish: str | None = None) -> torch.device:
    """Pick CUDA, then Apple's MPS, then the CPU; or check that ``wish`` is there.

    Raises
    ------
    SettingsError
        ``wish`` is no device, or not on this machine.
    """
    if wish is None or wish == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if wish not in ("cpu", "cuda", "mps"):
        hint = "; CUDA_VISIBLE_DEVICES chooses one of several" if wish.startswith("cuda:") else ""
        raise SettingsError(f"--device {wish}: choose auto, cpu, cuda or mps{hint}")
    try:
        device = torch.device(wish)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"--device {wish}: not usable on this machine ({reason})") from None
    return device


def has_bf16(device: torch.device) -> bool:
    """Say whether the device multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        # Asked first: where torch was built without oneDNN, it lacks the second question.
        onednn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        multiplies = onednn and torch.ops.mkldnn._is_mkldnn_bf16_supported()
        return bool(multiplies) and _cpu_multiplies_bf16()
    return False


def _cpu_multiplies_bf16() -> bool:
    """Libraries also accept bf16 where they must emulate it, slower than float32."""
    capability = getattr(torch.backends.cpu, "get_cpu_capability", lambda: "")()
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    return capability.startswith("AVX512") and bool(probe() or amx())


def choose_precision(wish: Precision, device: torch.device) -> Literal["fp32", "bf16"]:
    """Resolve ``auto`` to bf16 where the device has it, else float32."""
    if wish == "auto":
        return "bf16" if has_bf16(device) else "fp32"
    return wish


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """Run convolutions in bfloat16 when ``precision`` is bf16; weights stay float32."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def hold_convolutions_in_bf16(network: torch.nn.Module) -> None:
    """Round the weights of convolutions once, as `autocast` else does for every call.

    What the network says under ``autocast`` stays the same, bit for bit; it cannot be trained on.
    """
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            module.to(torch.bfloat16)


@contextlib.contextmanager
def memory_explained(advice: str) -> Iterator[None]:
    """Say what to do where the device has too little memory; also a decorator.

    Raises
    ------
    CrosspatchError
        Torch could not get the memory; ends with ``advice``.
    """
    try:
        yield
    except RuntimeError as error:
        if not any(words in str(error) for words in _NO_MEMORY):
            raise
        reason = str(error).splitlines()[0]
        raise CrosspatchError(f"the device has too little memory ({reason}): {advice}") from None


def keep_freed_memory() -> None:
    """Tell glibc to keep the large blocks that every step frees and asks for again.

    By default it maps and unmaps them, and page faults take a tenth of a training step on the CPU.
    Without effect where the C library is another.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
