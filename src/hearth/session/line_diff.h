#pragma once
// What changed between two texts, line by line, in the unified form of diff(1). Pure.

#include <string>
#include <string_view>

namespace hearth::session {

// Without file names; empty when the texts are equal. `context_lines` around each change. Texts
// that differ in more than a few thousand lines are shown as one replacement.
std::string unified_diff(std::string_view before, std::string_view after, int context_lines = 3);

}  // namespace hearth::session
