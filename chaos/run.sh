#!/usr/bin/env bash
# Kills one part of a region during a replay of real trips, brings it back, and asserts that nothing was lost, nothing
# doubled and both regions are identical. Exit 1 on a breach.
#   chaos/run.sh --region=east --target=cdc|redis|kafka|mysql|etcd [--rides=N] [--json]
set -euo pipefail
exec "$(dirname "$0")/../tandem" chaos "$@"
