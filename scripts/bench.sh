#!/usr/bin/env bash
# Measures this build against the engine's own llama-bench and llama-server, in one run on this
# machine, and writes build/bench/*.json. See docs/benchmarks.md; options: scripts/bench.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."

readonly build=build/release

for argument in "$@"; do
  if [ "$argument" = --help ] || [ "$argument" = -h ]; then exec python3 -B scripts/bench --help; fi
done
[ -f "$build/CMakeCache.txt" ] || { echo "bench: $build is not there; run make build" >&2; exit 3; }
cmake --build "$build" -j "$(getconf _NPROCESSORS_ONLN)" \
  --target hearth hearth-worker hearth_micro_benchmarks hearth-state-bench -- --quiet
exec python3 -B scripts/bench --bin "$build/bin" "$@"
