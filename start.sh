#!/usr/bin/env bash
# Opens the studio in the browser, installing it first where needed. With arguments it is the
# terminal face: `bash start.sh clone --help`.
set -eu
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
python="$here/.venv/bin/python"
if ! "$python" "$here/smart_install.py" --check 2>/dev/null; then
    result=0
    bash "$here/install.sh" || result=$?
    # 3: only starter models are missing; the studio itself tells more about that.
    if [ "$result" -ne 0 ] && [ "$result" -ne 3 ]; then
        exit "$result"
    fi
fi
exec "$python" "$here/app.py" "$@"
