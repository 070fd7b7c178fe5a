from __future__ import annotations

from installer.commands import Outcome
from installer.machine import Machine, NvidiaCard, find_machine, parse_nvidia_smi


def test_reads_cards_with_their_driver_and_capability() -> None:
    text = "NVIDIA H200, 580.65.06, 9.0\nNVIDIA GeForce GTX 1080, 580.65.06, 6.1\n"
    assert parse_nvidia_smi(text) == (
        NvidiaCard("NVIDIA H200", (580, 65, 6), (9, 0)),
        NvidiaCard("NVIDIA GeForce GTX 1080", (580, 65, 6), (6, 1)),
    )


def test_an_old_driver_does_not_tell_the_capability() -> None:
    assert parse_nvidia_smi("Tesla K80, 470.82.01\n")[0].capability is None
    assert parse_nvidia_smi("Tesla K80, 470.82.01, [N/A]\n")[0].capability is None


def test_what_is_no_card_is_passed_over() -> None:
    assert parse_nvidia_smi("No devices were found\n") == ()
    assert parse_nvidia_smi("Failed to initialize NVML: Driver/library version mismatch\n") == ()
    assert parse_nvidia_smi("a, b, c\n") == ()


def test_asks_again_without_the_field_an_old_driver_lacks(commands) -> None:
    commands.answer("compute_cap", Outcome(2, 'Field "compute_cap" is not a valid field to query.'))
    commands.answer("nvidia-smi", Outcome(0, "Tesla K80, 470.82.01\n"))
    machine = find_machine(commands, which=lambda name: f"/usr/bin/{name}")
    assert machine.cards == (NvidiaCard("Tesla K80", (470, 82, 1), None),)


def test_a_driver_that_does_not_answer_is_no_card(commands) -> None:
    commands.answer("nvidia-smi", Outcome(-9, ""))
    assert find_machine(commands, which=lambda name: name).cards == ()


def test_without_nvidia_smi_nothing_is_asked(commands) -> None:
    assert find_machine(commands, which=lambda name: None).cards == ()
    assert commands.ran == []


def test_only_root_on_debian_may_use_apt() -> None:
    assert Machine("Linux", "x86_64", is_root=True, package_manager="apt-get").may_use_apt
    assert not Machine("Linux", "x86_64", is_root=False, package_manager="apt-get").may_use_apt
    assert not Machine("Linux", "x86_64", is_root=True, package_manager="dnf").may_use_apt


def test_the_description_names_what_computes() -> None:
    card = NvidiaCard("NVIDIA H200", (580,), (9, 0))
    assert Machine("Linux", "x86_64", (card,)).describe() == "Linux x86_64, NVIDIA H200"
    assert "Apple silicon" in Machine("Darwin", "arm64").describe()
    assert "no NVIDIA card" in Machine("Darwin", "x86_64").describe()
