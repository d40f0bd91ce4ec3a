#include "hearth/model/ggml_type.h"

#include <fmt/format.h>

#include <array>
#include <string>

namespace hearth::model {
namespace {

// ggml_blck_size and ggml_type_size of ggml 0.27.0, printed by its own library. Withdrawn numbers
// (4, 5, 31-33, 36-38) are absent.
constexpr std::array<GgmlType, 35> types{{
    {0, "f32", 1, 4},         {1, "f16", 1, 2},         {2, "q4_0", 32, 18},
    {3, "q4_1", 32, 20},      {6, "q5_0", 32, 22},      {7, "q5_1", 32, 24},
    {8, "q8_0", 32, 34},      {9, "q8_1", 32, 36},      {10, "q2_K", 256, 84},
    {11, "q3_K", 256, 110},   {12, "q4_K", 256, 144},   {13, "q5_K", 256, 176},
    {14, "q6_K", 256, 210},   {15, "q8_K", 256, 292},   {16, "iq2_xxs", 256, 66},
    {17, "iq2_xs", 256, 74},  {18, "iq3_xxs", 256, 98}, {19, "iq1_s", 256, 50},
    {20, "iq4_nl", 32, 18},   {21, "iq3_s", 256, 110},  {22, "iq2_s", 256, 82},
    {23, "iq4_xs", 256, 136}, {24, "i8", 1, 1},         {25, "i16", 1, 2},
    {26, "i32", 1, 4},        {27, "i64", 1, 8},        {28, "f64", 1, 8},
    {29, "iq1_m", 256, 56},   {30, "bf16", 1, 2},       {34, "tq1_0", 256, 54},
    {35, "tq2_0", 256, 66},   {39, "mxfp4", 32, 17},    {40, "nvfp4", 64, 36},
    {41, "q1_0", 128, 18},    {42, "q2_0", 64, 18},
}};

constexpr std::array kv_types{KvType::f16,  KvType::q8_0, KvType::bf16, KvType::f32, KvType::q4_0,
                              KvType::q4_1, KvType::iq4_nl, KvType::q5_0, KvType::q5_1};

std::string allowed_kv_types() {
  std::string out;
  for (const KvType type : kv_types) {
    if (!out.empty()) out += ", ";
    out += kv_type_name(type);
  }
  return out;
}

}  // namespace

const GgmlType* find_ggml_type(std::uint32_t number) {
  for (const GgmlType& type : types) {
    if (type.number == number) return &type;
  }
  return nullptr;
}

std::string_view kv_type_name(KvType type) {
  const GgmlType* found = find_ggml_type(static_cast<std::uint32_t>(type));
  return found ? found->name : "?";
}

Result<KvType> parse_kv_type(std::string_view name) {
  for (const KvType type : kv_types) {
    if (kv_type_name(type) == name) return type;
  }
  return fail(Code::invalid_argument,
              fmt::format("KV type \"{}\" is not one of {}", name, allowed_kv_types()));
}

Result<std::uint64_t> kv_row_bytes(KvType type, std::uint64_t values) {
  const GgmlType* found = find_ggml_type(static_cast<std::uint32_t>(type));
  if (!found) return fail(Code::invalid_argument, "not a KV type");
  if (values % found->block_values != 0) {
    return fail(Code::invalid_argument,
                fmt::format("a KV row of {} values does not fill whole blocks of {} ({} values)",
                            values, found->name, found->block_values));
  }
  return values / found->block_values * found->block_bytes;
}

}  // namespace hearth::model
