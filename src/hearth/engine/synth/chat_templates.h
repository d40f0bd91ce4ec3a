#pragma once
// Jinja templates that travel in the synthetic GGUF files. Written for Hearth: they render what
// the model families expect, and no more.

#include <string_view>

#include "hearth/engine/synth/synth.h"

namespace hearth::engine {
std::string_view chat_template_of(Architecture architecture);
}
