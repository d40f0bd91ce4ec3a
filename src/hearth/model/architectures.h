#pragma once
// Private to shape*.cpp: which architectures of libllama 0.7 we know, and how each keeps its KV.

#include <cstdint>
#include <string_view>

#include "hearth/model/shape.h"

namespace hearth::model {

struct Architecture {
  std::string_view name;  // as in general.architecture
  KvKind kv_kind;
  // Sliding-window models whose files do not say which layers slide: in every group of this many
  // the last one attends to everything (libllama's set_swa_pattern). 0: the file says.
  std::uint32_t window_group = 0;
};

// nullptr: one we do not know.
const Architecture* find_architecture(std::string_view name);

}  // namespace hearth::model
