#!/usr/bin/env bash
# Everything of the cluster in network namespaces: tests, faults, measurements.  usage: run.sh BUILD_DIRECTORY
set -uo pipefail
build=$(realpath "${1:?usage: run.sh BUILD_DIRECTORY}")
cd "$(dirname "$0")"
failed=0
for test in netns_test.py netns_pool_test.py netns_faults_test.py "measure.py"; do
  echo "== $test"
  arguments=("$build/bin" "$build/test_models")
  [ "$test" != measure.py ] || arguments+=("../../build/bench")
  python3 "$test" "${arguments[@]}"
  status=$?
  [ $status = 0 ] || [ $status = 77 ] || failed=1
done
exit $failed
