#pragma once
// Memory as the model reads it: a prefix that is the same, byte for byte, for the same instructions
// and the same files, and a message for what changed after the prefix was fixed. Pure: no time, no
// counter, no order of a directory and no locale can get in. docs/memory.md shows both.

#include <string>
#include <string_view>

#include "hearth/session/memory_files.h"

namespace hearth::session {

// The first message of a session. Without files, only the instructions; without both, nothing.
std::string render_prefix(std::string_view instructions, const MemoryFiles& files);

// What the model is told when `before` became `after`; empty when nothing did.
std::string render_change(const MemoryFiles& before, const MemoryFiles& after);

// The same for people: a unified diff of all files, with paths in front.
std::string memory_diff_text(const MemoryFiles& before, const MemoryFiles& after);

}  // namespace hearth::session
