"""Putting PyTorch there with the user's own pip, attempt after attempt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from installer.commands import Commands
from installer.environment import Environment
from installer.errors import DiskFullInstallError, InstallError, explain_failure
from installer.journal import Journal
from installer.torch_choice import TORCH_VERSION, TorchAttempt, TorchPlan

# A refused index answers at once; one behind a firewall that drops packets costs this much.
_PROBE_FLAGS = ("--timeout", "6", "--retries", "0", "--disable-pip-version-check")


@dataclass(frozen=True)
class InstalledTorch:
    """`version` with its build tag ("2.13.0+cpu"); `cuda` is None for builds without it."""

    version: str
    cuda: str | None


def parse_torch_version(text: str) -> InstalledTorch | None:
    """Reads torch/version.py, which saves the seconds that importing torch costs."""
    version = re.search(r"^__version__\s*=\s*'([^']+)'", text, re.M)
    cuda = re.search(r"^cuda\b[^=]*=\s*'([^']+)'", text, re.M)
    return InstalledTorch(version[1], cuda[1] if cuda else None) if version else None


def installed_torch(site_packages: Path) -> InstalledTorch | None:
    """The torch that is there; None if there is none, or not a whole one."""
    if next(site_packages.glob("torch-*.dist-info"), None) is None:
        return None
    try:
        return parse_torch_version((site_packages / "torch" / "version.py").read_text("utf-8"))
    except OSError:
        return None


def fits(torch: InstalledTorch | None, plan: TorchPlan) -> bool:
    """Whether the installed build does for the plan, so that nothing has to be fetched."""
    if torch is None or torch.version.split("+")[0] != TORCH_VERSION:
        return False
    if plan.cuda:
        return torch.cuda is not None
    return torch.cuda is None or not plan.exact  # a CUDA build computes on the CPU as well


def ensure_torch(
    environment: Environment, plan: TorchPlan, commands: Commands, journal: Journal
) -> InstalledTorch:
    """Installs what the plan says unless it is there. Raises InstallError if no attempt works."""
    if plan.note:
        journal.say("PyTorch", plan.note)
    torch = installed_torch(environment.site_packages)
    if torch and fits(torch, plan):
        journal.say("PyTorch", f"{torch.version} is here")
        return torch
    failure = InstallError("PyTorch could not be installed.")
    for attempt in plan.attempts:
        if attempt.index and not _is_offered(environment, attempt, commands):
            continue
        with journal.activity("PyTorch", f"installing {attempt.requirement}"):
            outcome = commands.run(_install_command(environment, attempt))
        torch = installed_torch(environment.site_packages)
        if outcome.ok and torch and (torch.cuda is not None or not attempt.cuda):
            journal.say("PyTorch", f"{torch.version} installed")
            if plan.cuda and torch.cuda is None:
                journal.say("PyTorch", "no CUDA build could be fetched: the card stays unused")
            return torch
        failure = explain_failure("PyTorch", outcome.output)
        if isinstance(failure, DiskFullInstallError):
            break
    raise failure


def _install_command(environment: Environment, attempt: TorchAttempt) -> list[str]:
    index = ["--index-url", attempt.index] if attempt.index else []
    # Compiling all of torch ahead takes longer than Python does for the part that is imported.
    return environment.pip("install", "--no-compile", *index, attempt.requirement)


def _is_offered(environment: Environment, attempt: TorchAttempt, commands: Commands) -> bool:
    """Asks the index for its list of builds only, so that an unreachable one costs seconds."""
    listing = environment.pip("index", "versions", "torch", "--index-url", attempt.index or "")
    outcome = commands.run([*listing, *_PROBE_FLAGS])
    wanted = attempt.requirement.split("==")[-1]
    return outcome.ok and wanted in re.split(r"[\s,()]+", outcome.output)
