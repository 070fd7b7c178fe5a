"""Everything but PyTorch: uv installs it, with the package sources that pip is set up with."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from installer.commands import Commands
from installer.environment import Environment
from installer.errors import DiskFullInstallError, explain_failure
from installer.journal import Journal
from installer.torch_install import InstalledTorch

_UV = "uv>=0.9,<1"
_CACHE_TIMEOUT_S = 60.0  # uv waits for other installations that use its cache

# uv does not read pip's configuration; these are its names for the same settings.
_UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


def parse_pip_config(text: str) -> dict[str, str]:
    """Settings from `pip config list` that apply to `pip install`, strongest source last."""
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for section, name, value in re.findall(r"^(global|install|:env:)\.([\w-]+)=(.*)$", text, re.M):
        try:
            found[section][name] = " ".join(str(ast.literal_eval(value)).split())
        except (SyntaxError, ValueError):
            continue
    return {**found["global"], **found["install"], **found[":env:"]}


def uv_environment(
    pip_settings: Mapping[str, str], environment: Mapping[str, str]
) -> dict[str, str]:
    """Environment variables that make uv look where pip looks; what the user set for uv wins."""
    wanted = {_UV_NAMES[name]: value for name, value in pip_settings.items() if name in _UV_NAMES}
    if "UV_FIND_LINKS" in wanted:
        wanted["UV_FIND_LINKS"] = wanted["UV_FIND_LINKS"].replace(" ", ",")
    if "UV_INDEX" in wanted:
        # pip takes the best version of all indexes; uv would stop at the first that has the name.
        wanted["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return {name: value for name, value in wanted.items() if name not in environment}


def torch_constraint(torch: InstalledTorch) -> str:
    """A constraints file that keeps every resolver from replacing the torch that is there."""
    return f"torch=={torch.version}\n"


def ensure_uv(environment: Environment, commands: Commands, journal: Journal) -> None:
    """uv inside the environment. Its absence is found out here, and so is a missing network."""
    if environment.uv.exists() and commands.run([str(environment.uv), "--version"]).ok:
        return
    with journal.activity("uv", "installing"):
        outcome = commands.run(environment.pip("install", _UV))
    if not outcome.ok:
        raise explain_failure("uv", outcome.output)


def forget_cached(environment: Environment, names: Sequence[str], commands: Commands) -> None:
    """Makes uv fetch damaged packages anew.

    uv links files out of its cache instead of copying them: what damaged a file in the environment
    may have damaged the cached one, and a repair out of the cache would repeat it for ever.
    """
    if names:
        commands.run([str(environment.uv), "cache", "clean", *names], timeout_s=_CACHE_TIMEOUT_S)


def ensure_requirements(
    environment: Environment,
    requirements: Sequence[Path],
    torch: InstalledTorch,
    user_environment: Mapping[str, str],
    commands: Commands,
    journal: Journal,
) -> None:
    """Installs what the files name and is not there; by pip if uv cannot.

    Raises InstallError if neither can.
    """
    constraint = environment.folder / ".studio-constraint.txt"
    constraint.write_text(torch_constraint(torch), encoding="utf-8")
    what = ["--constraint", str(constraint)]
    for path in requirements:
        what += ["--requirement", str(path)]
    pip_settings = parse_pip_config(commands.run(environment.pip("config", "list")).output)
    with journal.activity("Packages", "checking and installing"):
        outcome = commands.run(
            [str(environment.uv), "pip", "install", "--python", str(environment.python), *what],
            uv_environment(pip_settings, user_environment),
        )
    if not outcome.ok:
        failure = explain_failure("the packages", outcome.output)
        if isinstance(failure, DiskFullInstallError):
            raise failure
        with journal.activity("Packages", "uv could not; installing with pip"):
            outcome = commands.run(environment.pip("install", *what))
    if not outcome.ok:
        raise explain_failure("the packages", outcome.output)
    journal.say("Packages", "all here")
