from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.errors import InstallError
from installer.lock import install_lock

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from installer.lock import install_lock
with install_lock(Path(sys.argv[1]), print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock_path(tmp_path: Path) -> Path:
    return tmp_path / ".studio" / "install.lock"


@pytest.fixture
def holder(lock_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its standard input is closed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def unexpected(text: str) -> None:
    raise AssertionError(f"nobody should wait: {text}")


def test_a_free_lock_is_taken_at_once_and_names_its_owner(lock_path: Path) -> None:
    with install_lock(lock_path, unexpected, sleep=unexpected):
        assert lock_path.read_text() == str(os.getpid())
    with install_lock(lock_path, unexpected, sleep=unexpected):
        pass


def test_the_second_waits_for_the_first_and_says_so_once(lock_path: Path, holder) -> None:
    said: list[str] = []
    waits = 0

    def sleep(seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 3:
            holder.communicate()  # closes its standard input and waits for its end

    with install_lock(lock_path, said.append, sleep=sleep):
        assert lock_path.read_text() == str(os.getpid())
    assert waits == 3
    assert len(said) == 1
    assert str(holder.pid) in said[0]


def test_a_killed_owner_leaves_no_lock(lock_path: Path, holder) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with install_lock(lock_path, unexpected, sleep=unexpected):
        pass


def test_patience_ends_with_the_owners_name(lock_path: Path, holder) -> None:
    with (
        pytest.raises(InstallError, match=str(holder.pid)),
        install_lock(lock_path, lambda text: None, sleep=lambda seconds: None, patience_s=2),
    ):
        pass


def test_a_child_that_outlives_the_owner_keeps_the_lock(lock_path: Path) -> None:
    with install_lock(lock_path, unexpected) as descriptor:
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.stdin.read()"],
            stdin=subprocess.PIPE,
            pass_fds=(descriptor,),
        )
    ended = False

    def end_the_child(seconds: float) -> None:
        nonlocal ended
        child.communicate()
        ended = True

    with install_lock(lock_path, lambda text: None, sleep=end_the_child):
        assert ended
