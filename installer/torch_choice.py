"""Which build of PyTorch fits the machine, and where to look for it, in order.

uv's `--torch-backend=auto` makes the same choice, but knows PyTorch's own index only. A company's
mirror, a folder of wheels, or an index that a firewall blocks need the attempts below in any case,
and two ways of choosing would have to agree; so uv installs everything but PyTorch (`packages.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from installer.errors import InstallError
from installer.machine import Machine, NvidiaCard

TORCH_VERSION = "2.13.0"

_INDEXES = "https://download.pytorch.org/whl"

# PyTorch 2.13 comes for CUDA 13.0 (what PyPI serves for Linux) and CUDA 12.6.
# Oldest drivers: NVIDIA's CUDA toolkit release notes, table "CUDA Toolkit and Minimum Required
# Driver Versions". Capabilities: RELEASE.md of PyTorch, "PyTorch CUDA Support Matrix".
_CUDA_13_DRIVER = (580,)
_CUDA_13_CAPABILITY = (7, 5)
_CUDA_12_DRIVER = (525,)
_CUDA_12_CAPABILITIES = ((5, 0), (9, 0))
_OLDEST_MACOS = (14,)  # the tag of the wheels for Macs: macosx_14_0_arm64


@dataclass(frozen=True)
class TorchAttempt:
    """One thing to ask pip for. `index` replaces the user's index; None: pip as it is set up."""

    requirement: str
    index: str | None = None
    cuda: bool = False


@dataclass(frozen=True)
class TorchPlan:
    """The attempts in order; `cuda` tells what is hoped for, `note` what the user should know."""

    attempts: tuple[TorchAttempt, ...]
    cuda: bool
    exact: bool
    """Whether the user named the build, so that an installed other one does not do."""
    note: str = ""


def choose_torch(machine: Machine, wish: str = "auto") -> TorchPlan:
    """The plan for this machine; `wish` is "auto", "cpu" or "cuda".

    Raises InstallError where PyTorch does not exist for the machine or the wish.
    """
    if machine.system == "Darwin":
        return _plan_for_mac(machine, wish)
    cpu = _cpu_attempts(machine)
    if wish == "cpu" or (wish == "auto" and not machine.cards):
        return TorchPlan(tuple(cpu), cuda=False, exact=wish == "cpu")
    if not machine.cards:
        return TorchPlan(
            tuple(_cuda_13_attempts(machine)),
            cuda=True,
            exact=True,
            note="no NVIDIA driver answers here; the CUDA build is installed because --cuda asks",
        )
    card = max(machine.cards, key=lambda one: one.capability or (0, 0))
    cuda = _cuda_attempts(machine, card)
    if wish == "cuda":
        return TorchPlan(
            tuple(cuda or _cuda_13_attempts(machine)), True, True, "" if cuda else _too_old(card)
        )
    return TorchPlan(tuple(cuda + cpu), bool(cuda), False, "" if cuda else _too_old(card))


def _plan_for_mac(machine: Machine, wish: str) -> TorchPlan:
    if wish == "cuda":
        raise InstallError("CUDA does not exist for Macs.", "Run the installer without --cuda.")
    if not machine.is_apple_silicon:
        raise InstallError(
            f"PyTorch {TORCH_VERSION} does not exist for Macs with Intel processors.",
            "Use a Mac with Apple silicon (and a Python built for it, not for Rosetta), "
            "or a Linux or Windows machine.",
        )
    if machine.macos is not None and machine.macos < _OLDEST_MACOS:
        raise InstallError(
            f"PyTorch {TORCH_VERSION} needs macOS {_OLDEST_MACOS[0]} or newer; this is macOS "
            f"{'.'.join(map(str, machine.macos))}.",
            "Update macOS in System Settings, General, Software Update.",
        )
    return TorchPlan((TorchAttempt(f"torch=={TORCH_VERSION}"),), cuda=False, exact=False)


def _cpu_attempts(machine: Machine) -> list[TorchAttempt]:
    plain = TorchAttempt(f"torch=={TORCH_VERSION}")
    if machine.system == "Windows":
        return [plain]  # the registry's build for Windows is the CPU build
    small = f"torch=={TORCH_VERSION}+cpu"
    # The user's pip may know a CPU build (a folder of wheels, a mirror); the registry's own build
    # for Linux brings gigabytes of CUDA packages and comes last.
    return [TorchAttempt(small), TorchAttempt(small, index=f"{_INDEXES}/cpu"), plain]


def _cuda_attempts(machine: Machine, card: NvidiaCard) -> list[TorchAttempt]:
    """What runs on this card with this driver; empty: nothing does."""
    capability = card.capability
    if (
        card.driver >= _CUDA_13_DRIVER
        and (capability or _CUDA_13_CAPABILITY) >= _CUDA_13_CAPABILITY
    ):
        return _cuda_13_attempts(machine)
    oldest, newest = _CUDA_12_CAPABILITIES
    if card.driver >= _CUDA_12_DRIVER and oldest <= (capability or oldest) <= newest:
        return [TorchAttempt(f"torch=={TORCH_VERSION}+cu126", f"{_INDEXES}/cu126", cuda=True)]
    return []


def _cuda_13_attempts(machine: Machine) -> list[TorchAttempt]:
    from_index = TorchAttempt(f"torch=={TORCH_VERSION}+cu130", f"{_INDEXES}/cu130", cuda=True)
    if machine.system == "Linux":
        # "===" means this version to the letter: a local +cpu wheel must not win over it.
        return [TorchAttempt(f"torch==={TORCH_VERSION}", cuda=True), from_index]
    return [from_index]  # for Windows the registry carries the CPU build only


def _too_old(card: NvidiaCard) -> str:
    driver = ".".join(str(number) for number in card.driver)
    return (
        f"{card.name} with driver {driver} cannot run PyTorch {TORCH_VERSION} on the card "
        f"(it needs driver {_CUDA_13_DRIVER[0]} or newer and compute capability 5.0 or higher)"
    )
