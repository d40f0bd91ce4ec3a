#pragma once
// How ggml stores numbers: block sizes of every tensor type, and the types a KV cache may have.
// Pure; the table is that of ggml 0.27 (ggml_blck_size, ggml_type_size).

#include <cstdint>
#include <string_view>

#include "hearth/base/result.h"

namespace hearth::model {

struct GgmlType {
  std::uint32_t number;         // as written in GGUF files and state blobs
  std::string_view name;        // ggml's own spelling: "q4_K"
  std::uint32_t block_values;   // values per block
  std::uint32_t block_bytes;    // bytes per block
};

// nullptr when ggml 0.27 has no such type (also for the numbers it has withdrawn).
const GgmlType* find_ggml_type(std::uint32_t number);

// Types that libllama 0.7 accepts for K and V. The value is the ggml number.
enum class KvType : std::uint32_t {
  f32 = 0, f16 = 1, q4_0 = 2, q4_1 = 3, q5_0 = 6, q5_1 = 7, q8_0 = 8, iq4_nl = 20, bf16 = 30,
};

std::string_view kv_type_name(KvType type);
// invalid_argument listing what is allowed.
Result<KvType> parse_kv_type(std::string_view name);
// Bytes of one row of `values` numbers; invalid_argument when they do not fill whole blocks.
Result<std::uint64_t> kv_row_bytes(KvType type, std::uint64_t values);

}  // namespace hearth::model
