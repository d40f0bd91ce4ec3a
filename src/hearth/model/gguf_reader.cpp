#include "hearth/model/gguf_reader.h"

#include <fmt/format.h>

namespace hearth::model {

std::unexpected<Error> GgufReader::bad_at(std::uint64_t offset, Code code,
                                          std::string_view text) const {
  return fail(code, fmt::format("{}: offset {}: {}", name_, offset, text));
}

Result<> GgufReader::need(std::uint64_t bytes, std::string_view what) const {
  if (remaining() >= bytes) return {};
  if (end_ == header_bytes_max_) {
    return bad(Code::corrupt, fmt::format("{} would make the header longer than {} bytes", what,
                                          header_bytes_max_));
  }
  return bad(Code::corrupt, fmt::format("the file ends within {}: {} bytes expected, {} left", what,
                                        bytes, remaining()));
}

Result<> GgufReader::fill(std::span<std::byte> out, std::string_view what) {
  TRY(need(out.size(), what));
  while (!out.empty()) {
    if (position_ < block_begin_ || position_ >= block_begin_ + block_.size()) {
      block_.resize(
          static_cast<std::size_t>(std::min<std::uint64_t>(next_block_bytes_, remaining())));
      next_block_bytes_ = std::min(2 * next_block_bytes_, block_bytes_max);
      block_begin_ = position_;
      if (auto read = source_.read_at(position_, block_); !read) {
        block_.clear();
        return std::unexpected(with_context(std::move(read).error(), name_));
      }
    }
    const auto in_block = static_cast<std::size_t>(position_ - block_begin_);
    const std::size_t count = std::min(out.size(), block_.size() - in_block);
    std::memcpy(out.data(), block_.data() + in_block, count);
    out = out.subspan(count);
    position_ += count;
  }
  return {};
}

Result<std::string> GgufReader::string(std::uint64_t bytes_max, std::string_view what) {
  const auto length = TRY(number<std::uint64_t>(what));
  if (length > bytes_max) {
    return bad_at(position_ - 8, Code::corrupt,
                  fmt::format("{} claims {} bytes; at most {} are accepted", what, length,
                              bytes_max));
  }
  TRY(need(length, what));
  std::string out(static_cast<std::size_t>(length), '\0');
  TRY(fill(std::as_writable_bytes(std::span(out.data(), out.size())), what));
  return out;
}

Result<Bytes> GgufReader::bytes(std::uint64_t bytes, std::string_view what) {
  TRY(need(bytes, what));
  Bytes out(static_cast<std::size_t>(bytes));
  TRY(fill(out, what));
  return out;
}

}  // namespace hearth::model
