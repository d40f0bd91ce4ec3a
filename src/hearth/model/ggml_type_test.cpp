#include "hearth/model/ggml_type.h"

#include <gtest/gtest.h>

namespace hearth::model {
namespace {

struct RowCase {
  KvType type;
  std::uint64_t values;
  std::uint64_t bytes;
};

TEST(GgmlType, KvRowsHaveTheSizesTheEngineAllocates) {
  const RowCase cases[] = {
      {KvType::f32, 576, 2'304},  {KvType::f16, 576, 1'152},  {KvType::bf16, 576, 1'152},
      {KvType::q8_0, 576, 612},   {KvType::q4_0, 576, 324},   {KvType::q4_1, 576, 360},
      {KvType::iq4_nl, 576, 324}, {KvType::q5_0, 576, 396},   {KvType::q5_1, 576, 432},
      {KvType::f16, 0, 0},
  };
  for (const RowCase& c : cases) {
    const auto bytes = kv_row_bytes(c.type, c.values);
    ASSERT_TRUE(bytes.has_value()) << kv_type_name(c.type);
    EXPECT_EQ(*bytes, c.bytes) << kv_type_name(c.type);
  }
}

TEST(GgmlType, ARowThatDoesNotFillBlocksIsRefused) {
  const auto bytes = kv_row_bytes(KvType::q8_0, 100);
  ASSERT_FALSE(bytes.has_value());
  EXPECT_EQ(bytes.error().code, Code::invalid_argument);
}

TEST(GgmlType, KvNamesGoThereAndBack) {
  for (const char* name : {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"}) {
    const auto type = parse_kv_type(name);
    ASSERT_TRUE(type.has_value()) << name;
    EXPECT_EQ(kv_type_name(*type), name);
  }
  EXPECT_FALSE(parse_kv_type("q2_K").has_value());
}

TEST(GgmlType, WithdrawnNumbersAreUnknown) {
  for (const std::uint32_t number : {4U, 5U, 31U, 33U, 36U, 38U, 43U, 1'000U}) {
    EXPECT_EQ(find_ggml_type(number), nullptr) << number;
  }
  ASSERT_NE(find_ggml_type(39), nullptr);
  EXPECT_EQ(find_ggml_type(39)->block_bytes, 17U);
}

}  // namespace
}  // namespace hearth::model
