#pragma once
// The number of a token in a model's vocabulary.

#include <cstdint>

namespace hearth {

using Token = std::int32_t;

}  // namespace hearth
