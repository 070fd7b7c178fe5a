"""What machine this is: platform, NVIDIA cards and driver, who may install system packages."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from installer.commands import Commands

_NVIDIA_SMI_TIMEOUT_S = 20.0  # a hung driver makes nvidia-smi hang
_PACKAGE_MANAGERS = {
    "Linux": ("apt-get", "dnf", "pacman", "zypper"),
    "Darwin": ("brew",),
    "Windows": ("winget",),
}


@dataclass(frozen=True)
class NvidiaCard:
    """One card as the driver sees it; `capability` is None where an old driver does not tell."""

    name: str
    driver: tuple[int, ...]
    capability: tuple[int, int] | None


@dataclass(frozen=True)
class Machine:
    """`system` and `architecture` as Python's platform module names them; `macos` is the version of
    macOS, None on another system or where it does not tell."""

    system: str
    architecture: str
    cards: tuple[NvidiaCard, ...] = ()
    is_root: bool = False
    package_manager: str | None = None
    macos: tuple[int, ...] | None = None

    @property
    def is_apple_silicon(self) -> bool:
        return self.system == "Darwin" and self.architecture == "arm64"

    @property
    def may_use_apt(self) -> bool:
        """Whether packages can be installed without asking the user for anything."""
        return self.system == "Linux" and self.package_manager == "apt-get" and self.is_root

    def describe(self) -> str:
        if self.cards:
            graphics = ", ".join(card.name for card in self.cards)
        else:
            graphics = "Apple silicon" if self.is_apple_silicon else "no NVIDIA card"
        return f"{self.system} {self.architecture}, {graphics}"


def parse_nvidia_smi(text: str) -> tuple[NvidiaCard, ...]:
    """Cards from `nvidia-smi --query-gpu=name,driver_version[,compute_cap] --format=csv,noheader`.

    Lines of another shape (warnings, "No devices were found") are passed over.
    """
    cards = []
    for line in text.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) not in (2, 3):
            continue
        driver = _numbers(fields[1])
        capability = _numbers(fields[2]) if len(fields) == 3 else None
        if driver is None:
            continue
        pair = (capability[0], capability[1]) if capability and len(capability) == 2 else None
        cards.append(NvidiaCard(fields[0], driver, pair))
    return tuple(cards)


def find_machine(commands: Commands, which: Callable[[str], str | None] = shutil.which) -> Machine:
    """Looks at the machine this runs on."""
    system = platform.system()
    managers = _PACKAGE_MANAGERS.get(system, ())
    return Machine(
        system=system,
        architecture=platform.machine(),
        cards=_find_cards(commands) if which("nvidia-smi") else (),
        is_root=hasattr(os, "geteuid") and os.geteuid() == 0,
        package_manager=next((name for name in managers if which(name)), None),
        macos=_numbers(platform.mac_ver()[0]) if system == "Darwin" else None,
    )


def _find_cards(commands: Commands) -> tuple[NvidiaCard, ...]:
    for query in ("name,driver_version,compute_cap", "name,driver_version"):
        outcome = commands.run(
            ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"],
            timeout_s=_NVIDIA_SMI_TIMEOUT_S,
        )
        if outcome.ok:
            return parse_nvidia_smi(outcome.output)
    return ()


def _numbers(text: str) -> tuple[int, ...] | None:
    """`580.65.06` as (580, 65, 6); None if it is no dotted number."""
    parts = text.split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else None
