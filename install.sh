#!/usr/bin/env bash
# Installs the studio beside this file, or repairs it. Flags: --cpu --cuda --no-models --dev --cluster
set -eu
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
for python in python3.11 python3.12 python3.10 python3 python; do
    # Asked to run, not only looked up: a version manager's stand-in may lead nowhere.
    if "$python" -c "" >/dev/null 2>&1; then
        exec "$python" "$here/smart_install.py" "$@"
    fi
done
echo "Voice Clone Studio needs Python 3.10, 3.11 or 3.12, and no Python was found." >&2
echo "Debian, Ubuntu: sudo apt-get install python3 python3-venv    macOS: brew install python@3.11" >&2
exit 1
