#include "hearth/model/state_layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "support/kimi_header.h"
#include "support/model_files.h"
#include "support/state_blob.h"

namespace hearth::model {
namespace {

using hearth::testing::sample_layouts;
using hearth::testing::state_blob;

StateLayout k_only(std::uint32_t layers, std::uint64_t row_bytes, std::uint32_t type = 1) {
  CacheLayout cache;
  cache.layers.assign(layers, StateLayer{.k_type = type, .k_row_bytes = row_bytes});
  return {{cache}};
}

TEST(StateLayout, SizesAreThoseMeasured) {
  EXPECT_EQ(state_bytes(k_only(2, 1'152), 3), 7'004U);
  EXPECT_EQ(state_bytes(k_only(61, 1'152), 1'024), 71'971'580U);   // K2.6, f16
  EXPECT_EQ(state_bytes(k_only(61, 612, 8), 1'024), 38'241'020U);  // K2.6, q8_0
}

TEST(StateLayout, EverySampleIsExactlyAsLongAsComputed) {
  for (const StateLayout& layout : sample_layouts()) {
    for (const TokenRange range : {TokenRange{0, 1}, TokenRange{100, 105}, TokenRange{7, 8}}) {
      const Bytes blob = state_blob(layout, range);
      EXPECT_EQ(blob.size(), state_bytes(layout, range.count()));
      const auto valid = validate_state(layout, range, blob);
      EXPECT_TRUE(valid.has_value()) << valid.error().message;
    }
  }
}

// As the engine writes a sequence whose first `by` cells lie behind the others in its memory.
Bytes with_first_cells_last(const StateLayout& layout, Bytes blob, std::uint32_t tokens) {
  std::size_t at = 8;
  const auto rotate = [&](std::uint64_t item_bytes, std::uint32_t count) {
    const auto begin = blob.begin() + static_cast<std::ptrdiff_t>(at);
    const auto first = static_cast<std::ptrdiff_t>(item_bytes * (count / 2));
    std::rotate(begin, begin + first, begin + static_cast<std::ptrdiff_t>(item_bytes * count));
    at += item_bytes * count;
  };
  for (const CacheLayout& cache : layout.caches) {
    const std::uint32_t cells =
        cache.window_tokens > 0 ? std::min(tokens, cache.window_tokens) : tokens;
    at += 8;
    rotate(12 + cache.cell_extension_bytes, cells);
    at += 16;
    for (const bool is_v : {false, true}) {
      for (const StateLayer& layer : cache.layers) {
        if (is_v && layer.v_row_bytes == 0) continue;
        at += 12;
        rotate(is_v ? layer.v_row_bytes : layer.k_row_bytes, cells);
      }
    }
  }
  return blob;
}

TEST(StateLayout, CellsThatLieElsewhereInMemoryAreBroughtIntoOrder) {
  constexpr TokenRange range{100, 107};
  for (const StateLayout& layout : sample_layouts()) {
    if (layout.caches.front().v_transposed) continue;
    const Bytes right = state_blob(layout, range);
    Bytes blob = with_first_cells_last(layout, right, range.count());
    EXPECT_FALSE(validate_state(layout, range, blob));
    ASSERT_TRUE(order_state(layout, blob));
    EXPECT_EQ(blob, right);
    ASSERT_TRUE(order_state(layout, blob));
    EXPECT_EQ(blob, right);
  }
}

TEST(StateLayout, OrderingRefusesWhatIsNotThisLayout) {
  const StateLayout layout = sample_layouts().front();
  Bytes blob = state_blob(layout, {0, 5});
  for (std::size_t size = 0; size < blob.size(); size += 7) {
    EXPECT_FALSE(order_state(layout, std::span(blob).first(size))) << size;
  }
}

TEST(StateLayout, LearningFindsTheRotations) {
  for (const StateLayout& layout : sample_layouts()) {
    StateLayout expected = layout;
    for (CacheLayout& cache : expected.caches) cache.rotation_k = cache.rotation_v = 0;
    const auto learned = learn_state_layout(state_blob(layout, {0, 1}), expected);
    ASSERT_TRUE(learned.has_value()) << learned.error().message;
    EXPECT_EQ(*learned, layout);
  }
}

TEST(StateLayout, AnotherEngineThanPromisedIsUnsupported) {
  const auto layouts = sample_layouts();
  for (std::size_t a = 0; a < layouts.size(); ++a) {
    for (std::size_t b = 0; b < layouts.size(); ++b) {
      if (a == b) continue;
      const auto learned = learn_state_layout(state_blob(layouts[a], {0, 1}), layouts[b]);
      ASSERT_FALSE(learned.has_value()) << a << " as " << b;
      EXPECT_EQ(learned.error().code, Code::unsupported);
    }
  }
}

TEST(StateLayout, EveryCutAndEveryTrailingByteIsRefused) {
  for (const StateLayout& layout : sample_layouts()) {
    const Bytes blob = state_blob(layout, {10, 12});
    for (std::size_t size = 0; size < blob.size(); ++size) {
      const ByteSpan cut(blob.data(), size);
      ASSERT_FALSE(validate_state(layout, {10, 12}, cut).has_value()) << size;
      ASSERT_FALSE(learn_state_layout(cut, layout, {10, 12}).has_value()) << size;
    }
    Bytes longer = blob;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(validate_state(layout, {10, 12}, longer).has_value());
    EXPECT_FALSE(learn_state_layout(longer, layout, {10, 12}).has_value());
  }
}

TEST(StateLayout, EveryHeaderWordIsChecked) {
  // MLA, one layer, two cells: words 0 to 13 and the row length are all header but the ids.
  const StateLayout layout = k_only(1, 64);
  const Bytes blob = state_blob(layout, {4, 6});
  const std::size_t header = 8 + 8 + 2 * 12 + 16 + 12;
  for (std::size_t offset = 0; offset < header; offset += 4) {
    for (const std::uint32_t change : {1U, 0x80000000U, 0xffffffffU}) {
      const bool is_id = offset == 4 || offset == 24 || offset == 36;
      if (is_id && change == 1) continue;  // other sequences are harmless
      Bytes damaged = blob;
      std::uint32_t word;
      std::memcpy(&word, damaged.data() + offset, 4);
      word ^= change;
      std::memcpy(damaged.data() + offset, &word, 4);
      const auto valid = validate_state(layout, {4, 6}, damaged);
      ASSERT_FALSE(valid.has_value()) << "offset " << offset << " change " << change;
      EXPECT_EQ(valid.error().code, Code::corrupt);
    }
  }
}

TEST(StateLayout, PositionsMustBeTheRangeInOrder) {
  const StateLayout layout = k_only(1, 8);
  for (const TokenRange other : {TokenRange{4, 7}, TokenRange{6, 9}, TokenRange{0, 3}}) {
    EXPECT_FALSE(validate_state(layout, {5, 8}, state_blob(layout, other)).has_value());
  }
  Bytes swapped = state_blob(layout, {5, 8});
  std::swap_ranges(swapped.begin() + 16, swapped.begin() + 28, swapped.begin() + 28);
  EXPECT_FALSE(validate_state(layout, {5, 8}, swapped).has_value());
}

TEST(StateLayout, ImpossibleRangesAreRefusedBeforeReading) {
  const StateLayout layout = k_only(1, 8);
  for (const TokenRange range : {TokenRange{0, 0}, TokenRange{5, 4}, TokenRange{0, 4'194'305},
                                 TokenRange{4'000'000'000, 4'000'000'001}}) {
    const auto valid = validate_state(layout, range, {});
    ASSERT_FALSE(valid.has_value());
    EXPECT_EQ(valid.error().code, Code::invalid_argument);
  }
}

TEST(StateLayout, LayoutsBeyondTheLimitsAreNotSane) {
  EXPECT_FALSE(is_sane({}));
  EXPECT_FALSE(is_sane(k_only(0, 8)));
  EXPECT_FALSE(is_sane(k_only(layer_count_max + 1, 8)));
  EXPECT_FALSE(is_sane(k_only(1, state_row_bytes_max + 1)));
  StateLayout odd = k_only(1, 8);
  odd.caches[0].cell_extension_bytes = 5;
  EXPECT_FALSE(is_sane(odd));
  StateLayout elements = k_only(1, 8);
  elements.caches[0].layers[0].v_element_bytes = 2;
  EXPECT_FALSE(is_sane(elements));
}

TEST(StateLayout, CanonicalBlobsDoNotDependOnTheSequence) {
  for (const StateLayout& layout : sample_layouts()) {
    Bytes one = state_blob(layout, {3, 8}, 1);
    Bytes two = state_blob(layout, {3, 8}, 2);
    const Bytes zero = state_blob(layout, {3, 8}, 0);
    ASSERT_NE(one, two);
    ASSERT_TRUE(canonicalise_state(layout, one).has_value());
    ASSERT_TRUE(canonicalise_state(layout, two).has_value());
    EXPECT_EQ(one, zero);  // the rows among them
    EXPECT_EQ(two, zero);
    EXPECT_TRUE(validate_state(layout, {3, 8}, one).has_value());
  }
}

TEST(StateLayout, CanonicalisingAForeignBlobFails) {
  const auto layouts = sample_layouts();
  Bytes blob = state_blob(layouts[1], {0, 2});
  EXPECT_FALSE(canonicalise_state(layouts[0], blob).has_value());
  Bytes cells = state_blob(layouts[0], {0, 2});
  const std::uint32_t many = UINT32_MAX;
  std::memcpy(cells.data() + 12, &many, 4);
  EXPECT_FALSE(canonicalise_state(layouts[0], cells).has_value());
}

Result<StateLayout> expected_of(const hearth::testing::GgufWriter& writer, KvType type, bool flash) {
  const auto shape = read_shape(hearth::testing::files_of(writer));
  if (!shape) return std::unexpected(shape.error());
  return expected_state_layout(*shape, type, flash);
}

TEST(StateLayout, KimiPromisesKeysOnly) {
  const auto layout = expected_of(hearth::testing::kimi_header(), KvType::f16, true);
  ASSERT_TRUE(layout.has_value());
  EXPECT_EQ(*layout, k_only(61, 1'152));
  const auto q8 = expected_of(hearth::testing::kimi_header(), KvType::q8_0, true);
  ASSERT_TRUE(q8.has_value());
  EXPECT_EQ(*q8, k_only(61, 612, 8));
  // Flash attention off is written down although there is no V.
  const auto off = expected_of(hearth::testing::kimi_header(), KvType::f16, false);
  ASSERT_TRUE(off.has_value());
  EXPECT_TRUE(off->caches[0].v_transposed);
  EXPECT_EQ(state_bytes(*off, 9), state_bytes(*layout, 9));
}

hearth::testing::GgufWriter small(std::string architecture) {
  hearth::testing::GgufWriter w;
  w.text("general.architecture", architecture);
  architecture += ".";
  w.u32(architecture + "block_count", 4).u32(architecture + "embedding_length", 256);
  w.u32(architecture + "attention.head_count", 4).u32(architecture + "attention.head_count_kv", 2);
  w.u32(architecture + "attention.sliding_window", 32).tensor("token_embd.weight", 1, {256, 8});
  return w;
}

TEST(StateLayout, GroupedAttentionPromisesKeysAndValues) {
  const auto on = expected_of(small("qwen3"), KvType::q8_0, true);
  ASSERT_TRUE(on.has_value());
  ASSERT_EQ(on->caches.size(), 1U);
  EXPECT_EQ(on->caches[0].layers[3],
            (StateLayer{.k_type = 8, .k_row_bytes = 136, .v_type = 8, .v_row_bytes = 136}));
  const auto off = expected_of(small("qwen3"), KvType::f16, false);
  ASSERT_TRUE(off.has_value());
  EXPECT_EQ(off->caches[0].layers[0].v_element_bytes, 2U);
  EXPECT_FALSE(expected_of(small("qwen3"), KvType::q8_0, false).has_value());
}

TEST(StateLayout, SlidingWindowsAreASecondCache) {
  const auto layout = expected_of(small("gpt-oss"), KvType::f16, true);
  ASSERT_TRUE(layout.has_value());
  ASSERT_EQ(layout->caches.size(), 2U);
  EXPECT_EQ(layout->caches[0].window_tokens, 0U);
  EXPECT_EQ(layout->caches[1].window_tokens, 32U);
  EXPECT_EQ(layout->caches[1].layers.size(), 2U);
}

hearth::testing::GgufWriter hybrid() {
  auto w = small("qwen35moe");
  const std::string key = "qwen35moe.";
  w.u32(key + "full_attention_interval", 2).u32(key + "ssm.conv_kernel", 4);
  w.u32(key + "ssm.inner_size", 256).u32(key + "ssm.state_size", 64).u32(key + "ssm.group_count", 2);
  return w;
}

TEST(StateLayout, HybridModelsHaveOneStateBehindTheirCaches) {
  const auto layout = expected_of(hybrid(), KvType::f16, true);
  ASSERT_TRUE(layout.has_value()) << layout.error().message;
  ASSERT_EQ(layout->caches.size(), 1U);
  EXPECT_EQ(layout->caches[0].layers.size(), 2U);
  ASSERT_TRUE(layout->recurrent);
  EXPECT_EQ(*layout->recurrent, (RecurrentLayout{.model_layers = 4, .layers = 2,
                                                 .convolution_bytes = 6'144, .state_bytes = 65'536}));
}

TEST(StateLayout, ArchitecturesWhoseStateIsNotEstablishedAreRefusedByName) {
  for (const std::string architecture : {"minimax-m3", "kimi-linear", "granitehybrid", "nemotron_h"}) {
    const auto layout = expected_of(small(architecture), KvType::f16, true);
    ASSERT_FALSE(layout.has_value()) << architecture;
    EXPECT_EQ(layout.error().code, Code::unsupported);
    EXPECT_TRUE(layout.error().message.starts_with(architecture + " cannot be handed off"))
        << layout.error().message;
  }
}

TEST(StateLayout, APartialBlobIsTheWholeOneWithoutItsState) {
  const StateLayout layout = sample_layouts().back();
  for (const TokenRange range : {TokenRange{0, 1}, TokenRange{100, 105}}) {
    Bytes blob = state_blob(layout, range, 1);
    const auto whole = validate_state(layout, range, blob);
    ASSERT_TRUE(whole) << whole.error().message;
    EXPECT_EQ(*whole, Completeness::whole);
    blob.resize(drop_recurrent_state(layout, range, blob));
    EXPECT_EQ(blob, state_blob(layout, range, 1, /*is_partial=*/true));
    const auto partial = validate_state(layout, range, blob);
    ASSERT_TRUE(partial) << partial.error().message;
    EXPECT_EQ(*partial, Completeness::partial);
    ASSERT_TRUE(order_state(layout, blob));
    ASSERT_TRUE(canonicalise_state(layout, blob));
    EXPECT_EQ(blob.size(), state_bytes(layout, range.count(), Completeness::partial));
  }
}

TEST(StateLayout, AStateOfAnotherPositionIsRefused) {
  const StateLayout layout = sample_layouts().back();
  Bytes blob = state_blob(layout, {4, 6});
  const std::size_t at = state_bytes({layout.caches}, 2) + 4;
  const std::uint32_t position = 4;
  std::memcpy(blob.data() + at, &position, 4);
  EXPECT_FALSE(validate_state(layout, {4, 6}, blob));
}

}  // namespace
}  // namespace hearth::model
