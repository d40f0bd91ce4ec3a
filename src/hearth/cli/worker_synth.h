#pragma once
// hearth-worker synth, synth-adapter: what `hearth model synth` and `synth-adapter` start.

#include "hearth/cli/command_line.h"

namespace hearth::cli {

Verb worker_synth_verb();
Verb worker_synth_adapter_verb();

}  // namespace hearth::cli
