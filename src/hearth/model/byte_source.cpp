#include "hearth/model/byte_source.h"

#include <fmt/format.h>

#include <cstring>

namespace hearth::model {

Result<> MemorySource::read_at(std::uint64_t offset, std::span<std::byte> out) {
  if (offset > bytes_.size() || bytes_.size() - offset < out.size()) {
    return fail(Code::corrupt, fmt::format("offset {}: wanted {} bytes of {}", offset, out.size(),
                                           bytes_.size()));
  }
  if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
  return {};
}

}  // namespace hearth::model
