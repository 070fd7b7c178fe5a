#!/usr/bin/env bash
# One machine of a Ray cluster.
#   ray-node.sh head                the first machine: Ray's head, and the studio on it
#   ray-node.sh worker HOST:PORT    a machine that works for it
#   ray-node.sh COMMAND ...         a command of the studio's terminal
# Environment: RAY_PORT (6379), RAY_AUTH_MODE and RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH), the same on
# all machines, and what start-container.sh takes.
set -eu
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
ray="$here/.venv/bin/ray"
port="${RAY_PORT:-6379}"
export RAY_USAGE_STATS_ENABLED=0

need_token() {
    # Whoever reaches the port of a cluster without a token runs programs on all of its machines.
    if [ "${RAY_AUTH_MODE:-}" != token ]; then
        echo "Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN, the same on all machines." >&2
        exit 2
    fi
}

case "${1:-}" in
head)
    need_token
    "$ray" start --head --port "$port" --include-dashboard false --disable-usage-stats
    exec bash "$here/start-container.sh"
    ;;
worker)
    need_token
    if [ -z "${2:-}" ]; then
        echo "Which head? For example:  ray-node.sh worker 10.0.0.5:$port" >&2
        exit 2
    fi
    exec "$ray" start --address "$2" --block --disable-usage-stats
    ;;
*)
    exec bash "$here/start-container.sh" "$@"
    ;;
esac
