from __future__ import annotations

import pytest

from installer.errors import InstallError
from installer.machine import Machine, NvidiaCard
from installer.torch_choice import TorchPlan, choose_torch

CPU_LINUX = [
    ("torch==2.13.0+cpu", None),
    ("torch==2.13.0+cpu", "https://download.pytorch.org/whl/cpu"),
    ("torch==2.13.0", None),
]
CUDA_13_LINUX = [
    ("torch===2.13.0", None),
    ("torch==2.13.0+cu130", "https://download.pytorch.org/whl/cu130"),
]
CUDA_12 = [("torch==2.13.0+cu126", "https://download.pytorch.org/whl/cu126")]


def asked(plan: TorchPlan) -> list[tuple[str, str | None]]:
    return [(attempt.requirement, attempt.index) for attempt in plan.attempts]


def linux(driver: tuple[int, ...], capability: tuple[int, int] | None) -> Machine:
    return Machine("Linux", "x86_64", (NvidiaCard("card", driver, capability),))


def test_without_a_card_the_users_pip_then_the_cpu_index_then_the_registry() -> None:
    plan = choose_torch(Machine("Linux", "x86_64"))
    assert asked(plan) == CPU_LINUX
    assert not plan.cuda


def test_the_registrys_windows_build_is_the_cpu_build() -> None:
    assert asked(choose_torch(Machine("Windows", "AMD64"))) == [("torch==2.13.0", None)]


@pytest.mark.parametrize(
    ("driver", "capability", "expected"),
    [
        ((580, 65, 6), (8, 9), CUDA_13_LINUX),
        ((590, 1), (12, 0), CUDA_13_LINUX),
        ((580, 65), None, CUDA_13_LINUX),
        ((580, 65), (6, 1), CUDA_12),  # Pascal left with CUDA 13
        ((550, 54), (8, 6), CUDA_12),  # the driver is too old for CUDA 13
        ((550, 54), (12, 0), []),  # Blackwell came after CUDA 12.6
        ((470, 82), (8, 6), []),
        ((580, 65), (3, 5), []),
    ],
)
def test_the_card_and_its_driver_decide_the_cuda_build(
    driver: tuple[int, ...], capability: tuple[int, int] | None, expected: list[object]
) -> None:
    plan = choose_torch(linux(driver, capability))
    assert asked(plan) == expected + CPU_LINUX
    assert plan.cuda == bool(expected)
    assert bool(plan.note) == (not expected)


def test_the_note_names_card_and_driver() -> None:
    assert "card with driver 470.82" in choose_torch(linux((470, 82), (8, 6))).note


def test_of_several_cards_the_most_capable_decides() -> None:
    cards = (NvidiaCard("old", (580,), (6, 1)), NvidiaCard("new", (580,), (9, 0)))
    assert asked(choose_torch(Machine("Linux", "x86_64", cards)))[:2] == CUDA_13_LINUX


def test_cpu_ignores_the_card() -> None:
    plan = choose_torch(linux((580,), (9, 0)), "cpu")
    assert asked(plan) == CPU_LINUX
    assert plan.exact


def test_cuda_never_falls_back_to_the_cpu() -> None:
    assert asked(choose_torch(linux((580,), (9, 0)), "cuda")) == CUDA_13_LINUX
    without_card = choose_torch(Machine("Linux", "x86_64"), "cuda")
    assert asked(without_card) == CUDA_13_LINUX
    assert "--cuda" in without_card.note


def test_windows_cuda_comes_from_the_cuda_index_only() -> None:
    machine = Machine("Windows", "AMD64", (NvidiaCard("card", (581,), (8, 6)),))
    assert asked(choose_torch(machine, "cuda")) == CUDA_13_LINUX[1:]


def test_macs() -> None:
    assert asked(choose_torch(Machine("Darwin", "arm64"))) == [("torch==2.13.0", None)]
    with pytest.raises(InstallError, match="Intel"):
        choose_torch(Machine("Darwin", "x86_64"))
    with pytest.raises(InstallError, match="CUDA"):
        choose_torch(Machine("Darwin", "arm64"), "cuda")


@pytest.mark.parametrize(("version", "runs"), [((13, 6, 9), False), ((14,), True), ((26, 1), True)])
def test_macs_need_macos_14(version: tuple[int, ...], runs: bool) -> None:
    mac = Machine("Darwin", "arm64", macos=version)
    if runs:
        assert asked(choose_torch(mac)) == [("torch==2.13.0", None)]
        return
    with pytest.raises(InstallError, match=r"macOS 14 or newer; this is macOS 13\.6\.9"):
        choose_torch(mac)
