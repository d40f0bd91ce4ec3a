#pragma once
// What libllama has one of in a process: its backends (load_backends of llama_engine.h) and its log.

#include <string>

#include "hearth/engine/buffer_log.h"

namespace hearth::engine {

// The last error that the engine logged, to be told with a failure of ours.
std::string last_complaint();
// While a batch is being cancelled the engine complains about what is our own doing: those lines
// are only for debugging.
void expect_complaints(bool expected);
// What the engine has logged of its buffers since the last call of forget_buffers.
void forget_buffers();
BufferSizes logged_buffers();

}  // namespace hearth::engine
