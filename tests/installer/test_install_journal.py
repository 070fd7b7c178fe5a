from __future__ import annotations

import io
from pathlib import Path

from installer.journal import Journal


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_screen_gets_short_lines_and_the_log_everything(tmp_path: Path) -> None:
    screen, log = io.StringIO(), tmp_path / "install.log"
    journal = Journal(log, screen)
    journal.say("PyTorch", "2.13.0+cpu")
    journal.log("a detail")
    with journal.activity("Packages", "installing"):
        pass
    journal.close()
    assert screen.getvalue() == "  PyTorch      2.13.0+cpu\n  Packages     installing ...\n"
    assert "a detail" in log.read_text()
    assert "2.13.0+cpu" in log.read_text()


def test_a_terminal_sees_an_activity_that_vanishes_when_it_ends(tmp_path: Path) -> None:
    screen = Terminal()
    journal = Journal(tmp_path / "install.log", screen)
    with journal.activity("Packages", "installing"):
        pass
    journal.close()
    assert "installing ... 0 s" in screen.getvalue()
    assert screen.getvalue().endswith(" \r")


def test_the_log_grows_over_runs_and_begins_anew_when_large(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    for _ in range(2):
        Journal(log, io.StringIO()).close()
    assert log.read_text().count("====\n") == 2
    log.write_text("x" * 2_000_001)
    Journal(log, io.StringIO()).close()
    assert len(log.read_text()) < 100
