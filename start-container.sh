#!/usr/bin/env bash
# What a container runs: opens the studio for the machines that reach it, or, with arguments, runs
# a command of the terminal (`docker run ... voice-clone-studio models download --starter`).
# Environment: STUDIO_PASSWORD (needed), STUDIO_API_KEY, STUDIO_PORT (7860), STUDIO_DATA (/data),
# STUDIO_STARTER_MODELS ("no": do not fetch the starter models).
set -eu
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
python="$here/.venv/bin/python"
port="${STUDIO_PORT:-7860}"
data="${STUDIO_DATA:-/data}"

if [ "${1:-}" = --health ]; then
    exec "$python" -c \
        'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)' \
        "http://127.0.0.1:$port/health"
fi
if ! mkdir -p "$data" 2>/dev/null || [ ! -w "$data" ]; then
    echo "The studio cannot write to $data." >&2
    echo "Give its volume to user $(id -u):  chown -R $(id -u) THE-FOLDER-ON-THE-HOST" >&2
    exit 2
fi
if [ "$#" -gt 0 ]; then
    exec "$python" "$here/app.py" --data-root "$data" "$@"
fi
if [ -z "${STUDIO_PASSWORD:-}" ]; then
    echo "Set a password: a container is reached from other machines." >&2
    echo "For example:  docker run -e STUDIO_PASSWORD=... -p 127.0.0.1:7860:7860 ..." >&2
    exit 2
fi
if [ "${STUDIO_STARTER_MODELS:-yes}" != no ]; then
    "$python" "$here/app.py" --data-root "$data" models download --starter ||
        echo "Not all starter models came; the Models tab tells more." >&2
fi
exec "$python" "$here/app.py" --data-root "$data" --host 0.0.0.0 --port "$port" --no-browser
