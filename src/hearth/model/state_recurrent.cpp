#include "hearth/model/state_recurrent.h"

#include "hearth/base/check.h"

namespace hearth::model {
namespace {

constexpr std::uint32_t f32_type = 0;
constexpr std::uint64_t state_bytes_max = 1ULL << 30;  // of one layer

// One cell, or none in a partial blob. `position`: nothing where any will do.
Result<Completeness> walk_recurrent(StateWalk& walk, const RecurrentLayout& layout,
                                    std::optional<std::uint32_t> position) {
  const std::uint32_t cells = TRY(walk.word("recurrent cell count"));
  if (cells > 1) {
    return fail(Code::corrupt, fmt::format("state blob, offset {}: {} recurrent states, expected one "
                                           "or none", walk.position() - 4, cells));
  }
  if (cells == 1) {
    if (position) TRY(walk.expect_word("position of the recurrent state", *position));
    else TRY(walk.skip(4, "position of the recurrent state"));
    TRY(walk.expect_word("sequence ids of the recurrent state", 0));
  }
  TRY(walk.expect_word("transposition of the recurrent state", 0));
  TRY(walk.expect_word("layer count", layout.model_layers));
  for (const std::uint64_t row_bytes : {layout.convolution_bytes, layout.state_bytes}) {
    for (std::uint32_t i = 0; i < layout.layers; ++i) {
      TRY(walk.expect_word("type of a recurrent row", f32_type));
      TRY(walk.expect_word("bytes of a recurrent row", static_cast<std::uint32_t>(row_bytes)));
      TRY(walk.expect_word("bytes of a recurrent row, high half", 0));
      TRY(walk.skip(cells * row_bytes, "recurrent row"));
    }
  }
  return cells == 1 ? Completeness::whole : Completeness::partial;
}

}  // namespace

bool is_sane(const RecurrentLayout& layout) {
  const auto fits = [](std::uint64_t bytes) { return bytes > 0 && bytes <= state_bytes_max; };
  return layout.model_layers <= layer_count_max && layout.layers > 0 &&
         layout.layers <= layout.model_layers && fits(layout.convolution_bytes) &&
         fits(layout.state_bytes);
}

std::uint64_t recurrent_bytes(const RecurrentLayout& layout, Completeness completeness) {
  const std::uint64_t headers = 12 + 24ULL * layout.layers;
  if (completeness == Completeness::partial) return headers;
  return headers + 8 + layout.layers * (layout.convolution_bytes + layout.state_bytes);
}

Result<Completeness> check_recurrent(StateWalk& walk, const RecurrentLayout& layout,
                                     std::uint32_t position) {
  return walk_recurrent(walk, layout, position);
}

Result<> skip_recurrent(StateWalk& walk, const RecurrentLayout& layout) {
  TRY(walk_recurrent(walk, layout, {}));
  return {};
}

std::size_t drop_recurrent_state(const StateLayout& layout, TokenRange range,
                                 std::span<std::byte> blob) {
  CHECK(layout.recurrent && blob.size() == state_bytes(layout, range.count()));
  const RecurrentLayout& recurrent = *layout.recurrent;
  std::size_t at = blob.size() - recurrent_bytes(recurrent, Completeness::whole);
  const auto put = [&](std::uint32_t word) {
    std::memcpy(blob.data() + at, &word, sizeof word);
    at += sizeof word;
  };
  put(0);  // cells
  put(0);  // transposition
  put(recurrent.model_layers);
  for (const std::uint64_t row_bytes : {recurrent.convolution_bytes, recurrent.state_bytes}) {
    for (std::uint32_t i = 0; i < recurrent.layers; ++i) {
      put(f32_type);
      put(static_cast<std::uint32_t>(row_bytes));
      put(0);
    }
  }
  return at;
}

}  // namespace hearth::model
