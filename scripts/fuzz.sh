#!/usr/bin/env bash
# Runs fuzz targets (libFuzzer, address and undefined-behaviour sanitizers, clang-19).
#
#   scripts/fuzz.sh              every target, 60 seconds each
#   scripts/fuzz.sh gguf json    these only
#   HEARTH_FUZZ_SECONDS=600 …    longer
#
# Starts from the seeds in tests/corpus/NAME and from what earlier runs found (build/fuzz/corpus/NAME).
# A crash leaves its input in build/fuzz/crashes/ and makes the script fail; once mended, the input
# goes into tests/corpus/NAME, where ctest replays it for ever.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly seconds=${HEARTH_FUZZ_SECONDS:-60}
readonly jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
readonly build=build/fuzz
readonly input_seconds_max=10
readonly memory_mb_max=2048

fail() { printf 'fuzz: cannot continue: %s\n' "$*" >&2; exit 3; }

all_targets() { cmake --build "$build" --target help | sed -n 's/^\([a-z0-9_]*\)_fuzz: phony$/\1/p' | sort; }

stat_of() { sed -n "s/^stat::$1: *//p" "$2" | tail -1; }  # one number of libFuzzer's final report

# Adds one line to the table; false when the target crashed.
fuzz_one() {
  local name=$1 log="$build/logs/$1.log" status=0 inputs verdict
  mkdir -p "$build/corpus/$name" "$build/crashes"
  "$build/bin/${name}_fuzz" "$build/corpus/$name" "tests/corpus/$name" -max_total_time="$seconds" \
    -timeout=$input_seconds_max -rss_limit_mb=$memory_mb_max -print_final_stats=1 \
    -artifact_prefix="$build/crashes/$name-" >"$log" 2>&1 || status=$?
  inputs=$(find "$build/corpus/$name" -type f | wc -l)
  verdict=clean
  [ "$status" = 0 ] || verdict="FAILED, see $log"
  printf '%-20s %12s %10s %9s %8s  %s\n' "$name" "$(stat_of number_of_executed_units "$log")" \
    "$(stat_of average_exec_per_sec "$log")" "$inputs" "$(stat_of peak_rss_mb "$log")" "$verdict"
  [ "$status" = 0 ] || grep -E 'ERROR|SUMMARY|Test unit written' "$log" | sed 's/^/    /'
  return "$status"
}

main() {
  local targets name failed=0
  case "${1:-}" in -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' scripts/fuzz.sh; return ;; esac
  scripts/setup.sh --fuzz
  command -v clang++-19 >/dev/null || fail "clang++-19 is missing; on Debian: apt-get install clang-19 libclang-rt-19-dev"
  cmake --preset fuzz --log-level=WARNING >/dev/null
  targets=${*:-$(all_targets)}
  # shellcheck disable=SC2046,SC2086  # one word per target is meant
  cmake --build "$build" -j "$jobs" --target $(printf '%s_fuzz ' $targets) -- --quiet
  mkdir -p "$build/logs"
  printf '%-20s %12s %10s %9s %8s\n' target inputs per_s found peak_MB
  for name in $targets; do
    [ -d "tests/corpus/$name" ] || fail "no seeds in tests/corpus/$name"
    fuzz_one "$name" || failed=1
  done
  return $failed
}
main "$@"
