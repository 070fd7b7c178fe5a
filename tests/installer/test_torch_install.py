from __future__ import annotations

import pytest

from installer.commands import Outcome
from installer.errors import DiskFullInstallError, InstallError
from installer.machine import Machine
from installer.torch_choice import choose_torch
from installer.torch_install import InstalledTorch, ensure_torch, fits, parse_torch_version

NO_BUILD = Outcome(1, "ERROR: No matching distribution found for torch==2.13.0+cpu")
NO_NETWORK = Outcome(1, "Failed to establish a new connection: [Errno -2]")
PLAN = choose_torch(Machine("Linux", "x86_64"))
CPU_PLAN = choose_torch(Machine("Linux", "x86_64"), "cpu")
CUDA_PLAN = choose_torch(Machine("Linux", "x86_64"), "cuda")


def test_reads_the_version_file_without_importing_torch() -> None:
    text = "__version__ = '2.13.0+cu130'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n"
    assert parse_torch_version(text) == InstalledTorch("2.13.0+cu130", "13.0")
    text = "__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\nhip: Optional[str] = '6.1'\n"
    assert parse_torch_version(text) == InstalledTorch("2.13.0+cpu", None)
    assert parse_torch_version("") is None


def test_which_installed_build_does() -> None:
    cpu, cuda = InstalledTorch("2.13.0+cpu", None), InstalledTorch("2.13.0", "13.0")
    assert fits(cpu, PLAN)
    assert fits(cuda, PLAN)  # it computes on the CPU as well
    assert not fits(cuda, CPU_PLAN)  # but the user asked for the small one
    assert fits(cuda, CUDA_PLAN)
    assert not fits(cpu, CUDA_PLAN)
    assert not fits(InstalledTorch("2.12.1+cpu", None), PLAN)
    assert not fits(None, PLAN)


def test_a_fitting_torch_is_left_alone(environment, put_torch, commands, journal) -> None:
    put_torch("2.13.0+cpu")
    assert ensure_torch(environment, PLAN, commands, journal).version == "2.13.0+cpu"
    assert commands.ran == []


def test_the_users_own_pip_comes_first(environment, put_torch, commands, journal) -> None:
    def install() -> Outcome:
        put_torch("2.13.0+cpu")
        return Outcome(0, "")

    commands.answer(" install ", install)
    ensure_torch(environment, PLAN, commands, journal)
    assert len(commands.ran) == 1
    assert "--index-url" not in commands.ran[0]


def test_an_index_is_asked_before_it_is_used(environment, put_torch, commands, journal) -> None:
    def install_from_index() -> Outcome:
        put_torch("2.13.0+cpu")
        return Outcome(0, "")

    commands.answer("index versions", Outcome(0, "Available versions: 2.13.0+cpu, 2.12.1+cpu"))
    commands.answer("--index-url", install_from_index)
    commands.answer(" install ", NO_BUILD)
    ensure_torch(environment, PLAN, commands, journal)
    probe = commands.ran_with("index versions")[0]
    assert "--timeout 6 --retries 0" in probe
    assert "https://download.pytorch.org/whl/cpu" in commands.ran[-1]


def test_a_refused_index_costs_one_short_question(
    environment, put_torch, commands, journal
) -> None:
    def install_plain() -> Outcome:
        put_torch("2.13.0", "13.0")
        return Outcome(0, "")

    commands.answer("index versions", NO_NETWORK)
    commands.answer("torch==2.13.0+cpu", NO_BUILD)
    commands.answer(" install ", install_plain)
    assert ensure_torch(environment, PLAN, commands, journal).version == "2.13.0"
    assert not [line for line in commands.ran_with(" install ") if "--index-url" in line]


def test_an_index_that_answers_from_elsewhere_is_not_used(
    environment, put_torch, commands, journal
) -> None:
    commands.answer("index versions", Outcome(0, "Available versions: 2.13.0, 2.12.1"))
    commands.answer(" install ", NO_BUILD)
    with pytest.raises(InstallError, match="no fitting build"):
        ensure_torch(environment, PLAN, commands, journal)
    assert len(commands.ran_with(" install ")) == 2


def test_a_cpu_build_is_no_answer_to_a_cuda_attempt(
    environment, put_torch, commands, journal
) -> None:
    def install_the_mirrors_build() -> Outcome:
        put_torch("2.13.0+cpu")
        return Outcome(0, "")

    commands.answer("index versions", NO_NETWORK)
    commands.answer(" install ", install_the_mirrors_build)
    with pytest.raises(InstallError):
        ensure_torch(environment, CUDA_PLAN, commands, journal)


def test_no_network_is_said_so(environment, commands, journal) -> None:
    commands.answer("", NO_NETWORK)
    with pytest.raises(InstallError, match="No package registry answered") as caught:
        ensure_torch(environment, PLAN, commands, journal)
    assert "HTTPS_PROXY" in caught.value.hint


def test_a_full_disk_ends_the_attempts(environment, commands, journal) -> None:
    commands.answer("", Outcome(1, "OSError: [Errno 28] No space left on device"))
    with pytest.raises(DiskFullInstallError):
        ensure_torch(environment, PLAN, commands, journal)
    assert len(commands.ran) == 1
