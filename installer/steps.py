"""The installation from beginning to end."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from installer.commands import Commands
from installer.disk import check_room, needed_bytes
from installer.environment import Environment, ensure_environment, python_version
from installer.errors import InstallError
from installer.journal import Journal
from installer.lock import install_lock
from installer.machine import find_machine
from installer.packages import ensure_requirements, ensure_uv, forget_cached
from installer.precompile import precompile
from installer.python_choice import SUPPORTED_PYTHONS
from installer.stamp import Stamp, clear_stamp, read_stamp, sources_digest, write_stamp
from installer.system_packages import ensure_chromium, ensure_ffmpeg
from installer.torch_choice import choose_torch
from installer.torch_install import ensure_torch, installed_torch
from installer.torchaudio_fix import fix_torchaudio

DONE = 0
FAILED = 1
MODELS_MISSING = 3
"""The studio runs; only the starter models could not (all) be fetched."""


@dataclass(frozen=True)
class Options:
    """What the user asked for; what is left at None stays as it was last time.

    `cluster` is the extra for heavy work on several machines.
    """

    torch_wish: str | None = None
    dev: bool | None = None
    models: bool = True
    cluster: bool | None = None


def is_up_to_date(root: Path) -> bool:
    """Whether a finished installation is here that fits the files of the studio; milliseconds."""
    environment = Environment(root / ".venv")
    stamp = read_stamp(environment.folder)
    if stamp is None or not environment.python.exists():
        return False
    return stamp.digest == sources_digest(root, _requirements(root, stamp.dev, stamp.cluster))


def install(root: Path, options: Options, screen: TextIO) -> int:
    """Installs or repairs the studio in `root`; returns DONE, FAILED or MODELS_MISSING."""
    journal = Journal(root / "install.log", screen)
    started = time.monotonic()

    def announce(text: str) -> None:
        journal.say("Waiting", text)

    try:
        with install_lock(root / ".studio" / "install.lock", announce) as lock_fd:
            result = _install(root, options, journal, Commands(journal, lock_fd))
    except InstallError as error:
        journal.say("FAILED", error.message)
        if error.hint:
            journal.say("", error.hint)
        return FAILED
    finally:
        journal.log(f"ended after {time.monotonic() - started:.1f} s")
        journal.close()
    return result


def _install(root: Path, options: Options, journal: Journal, commands: Commands) -> int:
    started = time.monotonic()
    environment = Environment(root / ".venv")
    last = read_stamp(environment.folder)
    wanted = _wanted_stamp(root, options, last)
    machine = find_machine(commands)
    journal.say("Python", f"{sys.version.split()[0]} at {sys.executable}")
    journal.say("Machine", machine.describe())
    plan = choose_torch(machine, wanted.torch_wish)

    unchanged = last == wanted and python_version(environment, commands) in SUPPORTED_PYTHONS
    clear_stamp(environment.folder)
    if not unchanged:
        check_room(root, needed_bytes(_has_torch(environment), plan.cuda, options.models))
    damaged = ensure_environment(environment, machine, commands, journal)
    ensure_uv(environment, commands, journal)
    forget_cached(environment, damaged, commands)
    torch = ensure_torch(environment, plan, commands, journal)
    requirements = _requirements(root, wanted.dev, wanted.cluster, torch.cuda is not None)
    ensure_requirements(environment, requirements, torch, os.environ, commands, journal)
    if damaged or not unchanged:
        fix_torchaudio(environment, torch, commands, journal)
        precompile(environment, commands, journal)
        ensure_ffmpeg(machine, commands, journal)
        if wanted.dev:
            ensure_chromium(machine, commands, journal)
    models_came = not options.models or _fetch_models(root, environment, commands, journal)
    write_stamp(environment.folder, wanted)

    start = "start.bat" if machine.system == "Windows" else "bash start.sh"
    journal.say("Done", f"in {time.monotonic() - started:.0f} s; start the studio with: {start}")
    return DONE if models_came else MODELS_MISSING


def _wanted_stamp(root: Path, options: Options, last: Stamp | None) -> Stamp:
    remembered = last or Stamp("", "auto", False)
    dev = remembered.dev if options.dev is None else options.dev
    cluster = remembered.cluster if options.cluster is None else options.cluster
    digest = sources_digest(root, _requirements(root, dev, cluster))
    return Stamp(digest, options.torch_wish or remembered.torch_wish, dev, cluster)


def _requirements(root: Path, dev: bool, cluster: bool, cuda: bool = True) -> list[Path]:
    """The files of packages; `cuda`: for a PyTorch with CUDA. All of them shape the stamp.

    The tests run what needs the cluster's packages, too.
    """
    names = ["requirements.txt"]
    names += ["requirements-cuda.txt"] if cuda else []
    names += ["requirements-cluster.txt"] if cluster or dev else []
    names += ["requirements-dev.txt"] if dev else []
    return [root / name for name in names]


def _has_torch(environment: Environment) -> bool:
    """Whether the large part of the download lies here already."""
    return environment.python.exists() and installed_torch(environment.site_packages) is not None


def _fetch_models(
    root: Path, environment: Environment, commands: Commands, journal: Journal
) -> bool:
    """Lets the studio itself fetch its starter models; it skips those that are here."""
    journal.say("Models", "the starter models: speech, transcription, voice match")
    command = [str(environment.python), str(root / "app.py"), "models", "download", "--starter"]
    if commands.show(command) == 0:
        return True
    journal.say("Models", "not all are here; the studio works, and its Models tab tells more")
    return False
