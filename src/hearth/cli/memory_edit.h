#pragma once
// Where a memory file's new text comes from: standard input, or the user's own editor.

#include <cstddef>
#include <string>

#include "hearth/base/result.h"

namespace hearth::cli {

Result<std::string> read_standard_input(std::size_t bytes_max);
// On a private copy, named as `name` is; of sealed text on one that is in memory only. invalid_argument
// where there is no editor, no terminal, or no folder in memory.
Result<std::string> edit_text(const std::string& name, const std::string& text, bool is_sealed);

}  // namespace hearth::cli
