#!/usr/bin/env bash
# Everything that must hold, from nothing: installs the studio with what the tests need and the
# starter models, then checks style, types, layers, unit tests and end-to-end tests. Can be run
# again at any time; arguments go to both runs of pytest: `bash tests/run.sh -k jobs`.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

failed=()
step() { # step NAME COMMAND...: runs it, says how long it took, remembers a failure
    local name="$1" started=$SECONDS result=0
    shift
    printf '\n==> %s\n' "$name"
    "$@" || result=$?
    printf '<== %s: exit code %d after %d s\n' "$name" "$result" $((SECONDS - started))
    [ "$result" -eq 0 ] || failed+=("$name")
    return "$result"
}

# pytest's exit code 5 says that no test was selected: a failure, unless the caller selected.
run_pytest() { # run_pytest THREADS ARGUMENT...
    local threads="$1" result=0
    shift
    # Two processes whose OpenMP threads spin while they wait slow each other down many times over.
    OMP_NUM_THREADS="$threads" OMP_WAIT_POLICY=PASSIVE KMP_BLOCKTIME=0 \
        "$python" -m pytest "$@" || result=$?
    [ "$result" -eq 5 ] && [ "$selected" = yes ] && result=0
    return "$result"
}

# mypy takes a minute of one core: it runs beside the unit tests, one process of which waits often.
start_types() {
    types_log="$(mktemp)"
    { "$python" -m mypy && "$python" -m mypy smart_install.py installer; } >"$types_log" 2>&1 &
    types_job=$!
}
finish_types() {
    local result=0
    wait "$types_job" || result=$?
    cat "$types_log"
    rm -f "$types_log"
    return "$result"
}

python="$PWD/.venv/bin/python"
selected=$([ "$#" -gt 0 ] && echo yes || echo no)
cores=$(getconf _NPROCESSORS_ONLN)

step "install" bash install.sh --dev || exit 1
step "ruff check" "$python" -m ruff check .
step "ruff format" "$python" -m ruff format --check .
step "import-linter" "$python" -c "from importlinter.cli import lint_imports_command as lint; lint()"
start_types
step "unit tests" run_pytest 1 -m "not e2e" -n "$cores" --dist loadfile "$@"
step "mypy, which ran meanwhile" finish_types
# Two at a time: while one waits for its page, the other computes. A third gained 5 % of the time
# on two cores, and each needs 3 GB.
step "end-to-end tests" run_pytest $(((cores + 1) / 2)) -m e2e -n 2 --dist loadfile \
    --no-loadscope-reorder --durations 15 "$@"

if [ "${#failed[@]}" -gt 0 ]; then
    printf '\nFAILED: %s\n' "$(IFS=,; echo "${failed[*]}")"
    exit 1
fi
printf '\nAll checks passed in %d s.\n' "$SECONDS"
