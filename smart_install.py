"""Installs Voice Clone Studio into `.venv` beside this file, or repairs what is there.

Standard library only. Run it with any Python 3: if that one cannot run the studio and another on
this machine can, the other one takes over. The work is done by the modules in `installer/`.
"""

import argparse
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def main() -> int:
    """Reads the command line, finds the right Python, installs; returns the exit code."""
    if sys.version_info < (3, 7):  # noqa: UP036 - what an old machine starts as `python3`
        print("Voice Clone Studio needs Python 3.10, 3.11 or 3.12; this is " + sys.version)
        return 1
    arguments = _parser().parse_args()
    from installer.python_choice import (
        SUPPORTED_PYTHONS,
        python_candidates,
        version_of_command,
        wanted_python,
        wrong_python_message,
    )

    current = sys.version_info[:2]
    if current not in SUPPORTED_PYTHONS:
        system = platform.system()
        candidates = python_candidates(system, ROOT / ".venv")
        other = wanted_python(candidates, version_of_command)
        if other is None:
            print(wrong_python_message(system, current))
            return 1
        return subprocess.call([*other, str(ROOT / "smart_install.py"), *sys.argv[1:]])

    from installer import steps

    if arguments.check:
        return 0 if steps.is_up_to_date(ROOT) else 1
    wish = "cpu" if arguments.cpu else "cuda" if arguments.cuda else None
    options = steps.Options(
        wish, arguments.dev or None, not arguments.no_models, arguments.cluster or None
    )
    return steps.install(ROOT, options, sys.stdout)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="install",
        description="Install Voice Clone Studio, or repair it. Running it again does no harm.",
        epilog="Exit code: 0 all is there, 3 only starter models are missing, 1 it failed.",
    )
    build = parser.add_mutually_exclusive_group()
    build.add_argument("--cpu", action="store_true", help="PyTorch without CUDA")
    build.add_argument("--cuda", action="store_true", help="PyTorch with CUDA, or fail")
    parser.add_argument("--no-models", action="store_true", help="do not fetch the starter models")
    parser.add_argument("--dev", action="store_true", help="also what the tests need")
    parser.add_argument(
        "--cluster", action="store_true", help="also Ray, for work on several machines"
    )
    parser.add_argument(
        "--check", action="store_true", help="install nothing: exit 0 if up to date"
    )
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped. Run the installer again: it goes on where it was.")
        sys.exit(130)
