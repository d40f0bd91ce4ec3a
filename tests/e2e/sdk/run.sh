#!/usr/bin/env bash
# run.sh TEST_FILE BIN_DIR MODELS_DIR SDK_DIR: one test file under Node, or exit code 77 (skipped)
# where Node or the client libraries are not installed.
set -euo pipefail
if ! command -v node >/dev/null; then echo "SKIPPED: Node is not installed"; exit 77; fi
if [ ! -f "$4/installed-lock.json" ]; then echo "SKIPPED: no client libraries; run scripts/setup.sh --sdk"; exit 77; fi
HEARTH_BIN=$2 HEARTH_MODELS=$3 HEARTH_SDK=$4 exec node --test --test-reporter=spec "$1"
