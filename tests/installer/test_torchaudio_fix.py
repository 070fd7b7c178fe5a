from __future__ import annotations

from pathlib import Path

import pytest

from installer.commands import Outcome
from installer.environment import Environment
from installer.torch_install import InstalledTorch
from installer.torchaudio_fix import fix_torchaudio, missing_cuda_library

CPU, CUDA = InstalledTorch("2.13.0+cpu", None), InstalledTorch("2.13.0", "13.0")
NO_CUDA = "OSError: libc10_cuda.so: cannot open shared object file: No such file or directory\n"
NAMES = ["_torchaudio.abi3.so", "libtorchaudio.abi3.so"]


@pytest.fixture
def library_folder(environment: Environment) -> Path:
    folder = environment.site_packages / "torchaudio" / "lib"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    for name in NAMES:
        (folder / name).write_text(name)
    return folder


def import_that_needs_cuda(folder: Path) -> Outcome:
    """What importing torchaudio does on a machine without CUDA."""
    return Outcome(1, NO_CUDA) if list(folder.glob("*.so")) else Outcome(0, "")


def test_names_the_missing_library() -> None:
    assert missing_cuda_library(NO_CUDA) == "libc10_cuda.so"
    text = "libcudart.so.13: cannot open shared object file: No such file or directory"
    assert missing_cuda_library(text) == "libcudart.so.13"
    assert missing_cuda_library("libsox.so: cannot open shared object file") is None
    assert missing_cuda_library("undefined symbol: _ZN3c10 in libc10_cuda.so") is None


def test_moves_the_native_files_aside_when_cuda_is_missing(
    environment, library_folder, commands, journal, screen
) -> None:
    commands.answer("import torchaudio", lambda: import_that_needs_cuda(library_folder))
    fix_torchaudio(environment, CPU, commands, journal)
    left = sorted(path.name for path in library_folder.iterdir())
    assert left == ["__init__.py", "_torchaudio.abi3.so.aside", "libtorchaudio.abi3.so.aside"]
    assert "2 native files moved aside: libc10_cuda.so" in screen.getvalue()


def test_leaves_them_when_torchaudio_loads(environment, library_folder, commands, journal) -> None:
    fix_torchaudio(environment, CPU, commands, journal)
    assert sorted(path.name for path in library_folder.glob("*.so")) == NAMES


def test_leaves_them_when_it_fails_for_another_reason(
    environment, library_folder, commands, journal, screen
) -> None:
    commands.answer("import torchaudio", Outcome(1, "ImportError: numpy is missing\n"))
    fix_torchaudio(environment, CPU, commands, journal)
    assert sorted(path.name for path in library_folder.glob("*.so")) == NAMES
    assert "does not load: ImportError: numpy is missing" in screen.getvalue()


def test_leaves_them_alone_beside_a_cuda_build(
    environment, library_folder, commands, journal
) -> None:
    commands.answer("import torchaudio", Outcome(1, NO_CUDA))
    fix_torchaudio(environment, CUDA, commands, journal)
    assert sorted(path.name for path in library_folder.glob("*.so")) == NAMES


def test_puts_them_back_when_torch_becomes_a_cuda_build(
    environment, library_folder, commands, journal
) -> None:
    commands.answer("import torchaudio", lambda: import_that_needs_cuda(library_folder))
    fix_torchaudio(environment, CPU, commands, journal)
    commands.rules.clear()
    fix_torchaudio(environment, CUDA, commands, journal)
    assert sorted(path.name for path in library_folder.glob("*.so")) == NAMES
    assert (library_folder / NAMES[0]).read_text() == NAMES[0]
