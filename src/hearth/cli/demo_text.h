#pragma once
// The story that ships with the demo (data/demo_text.txt): some 7,000 bytes, a fact near its
// beginning, the question for it at its end.

#include <string_view>

namespace hearth::cli {
std::string_view demo_text();
}
