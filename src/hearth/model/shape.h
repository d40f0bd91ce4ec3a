#pragma once
// What a model is made of, as numbers: everything the planner, the engine and the KV store need to
// know before a byte of weights is loaded. Pure functions over metadata and tensor tables.
//
// Formulas: facts measured on libllama 0.7 (KV row sizes; MLA keeps K alone, one row of
// kv_lora_rank + rope values) and libllama's own hyper-parameter rules. unsupported for an
// architecture that is not in the table of architectures.cpp, by name; corrupt for metadata that
// is missing or contradicts the tensors.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/model/ggml_type.h"
#include "hearth/model/shards.h"

namespace hearth::model {

inline constexpr std::uint32_t layer_count_max = 1'024;

// How the model remembers. Only `attention` and `mla` are one cache of cells per token.
enum class KvKind : std::uint8_t {
  attention,       // K and V of every token in every layer
  mla,             // one compressed row per token and layer, K only (deepseek32: plus an indexer row)
  sliding_window,  // some layers keep a window only
  hybrid,          // some layers keep a recurrent state instead
  unknown,         // not established how libllama stores it: do not chunk, do not plan memory by it
};
std::string_view kv_kind_name(KvKind kind);

struct MlaShape {
  std::uint32_t kv_lora_rank = 0;
  std::uint32_t q_lora_rank = 0;  // 0: queries are not compressed
  std::uint32_t rope_values = 0;
  std::uint32_t nope_values = 0;  // per head, before absorption
  std::uint32_t v_values = 0;     // per head
  bool operator==(const MlaShape&) const = default;
};

struct ExpertShape {
  std::uint32_t count = 0;
  std::uint32_t used = 0;
  std::uint32_t shared = 0;
  std::uint32_t leading_dense_layers = 0;
  std::uint32_t feed_forward = 0;  // width of one expert; 0 when the file does not say
  bool operator==(const ExpertShape&) const = default;
};

// Baked into stored keys, so part of the identity of a KV layout.
struct RopeShape {
  std::uint32_t dimensions = 0;
  double frequency_base = 10'000.0;
  std::string scaling = "none";
  double scaling_factor = 1.0;
  std::uint32_t original_context = 0;
  double yarn_log_multiplier = 0.0;
  double attention_factor = 0.0;  // 0: not given
  bool operator==(const RopeShape&) const = default;
};

// What one token leaves behind in one layer, counted in values.
struct LayerKv {
  std::uint32_t k_values = 0;        // 0: this layer has no attention cache
  std::uint32_t v_values = 0;        // 0: K only
  std::uint32_t window_tokens = 0;   // 0: every token is kept
  std::uint32_t indexer_values = 0;  // a second, K-only cache (DSA)
  bool operator==(const LayerKv&) const = default;
};

// What a recurrent layer keeps for the whole sequence, f32: one state, valid at its last position.
struct RecurrentShape {
  std::uint32_t layers = 0;
  std::uint64_t convolution_bytes = 0;  // a layer: the last inputs of its short convolution
  std::uint64_t state_bytes = 0;        // a layer: the state proper
  bool operator==(const RecurrentShape&) const = default;
};

struct LayerWeights {
  std::uint64_t bytes = 0;         // all of the layer
  std::uint64_t expert_bytes = 0;  // of these, the routed experts
};

struct WeightBytes {
  std::vector<LayerWeights> layers;
  std::uint64_t embedding = 0;   // token_embd
  std::uint64_t output = 0;      // head and its norm; without a head of its own the norm alone
  std::uint64_t other = 0;       // what belongs to no layer (frequency tables)
  std::uint64_t prediction = 0;  // multi-token prediction layers, which libllama leaves out
  bool tied_embedding = false;   // the head is the embedding, read whole for every token
};

struct TensorTypeTotal {
  std::uint32_t type = 0;
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;
};

struct ModelShape {
  std::string architecture;
  std::string name;
  std::uint32_t layers = 0;  // without prediction layers
  std::uint32_t embedding = 0;
  std::uint32_t feed_forward = 0;
  std::uint32_t heads = 0;     // of the layer that has most
  std::uint32_t kv_heads = 0;  // likewise
  std::uint32_t head_k = 0;    // values per head as cached
  std::uint32_t head_v = 0;
  std::uint32_t context_length = 0;
  std::uint32_t vocabulary = 0;
  KvKind kv_kind = KvKind::unknown;
  std::optional<MlaShape> mla;
  std::optional<ExpertShape> experts;
  RopeShape rope;
  std::vector<LayerKv> layer_kv;
  std::uint64_t recurrent_state_bytes = 0;  // per sequence, f32; 0 for pure attention
  std::optional<RecurrentShape> recurrent;  // where it is established how the state is written
  bool has_position_axes = false;           // a position is several numbers (M-RoPE)

  std::uint64_t parameters_total = 0;
  std::uint64_t parameters_active = 0;        // multiplied per token: no embedding, share of experts
  std::uint64_t bytes_per_decoded_token = 0;  // weights read: one embedding row, whole head
  std::uint64_t weights_bytes = 0;
  WeightBytes weights;
  std::vector<TensorTypeTotal> tensor_types;  // largest first
};

Result<ModelShape> read_shape(const ModelFiles& files);

// Bytes of one cell in one layer.
struct KvRowBytes {
  std::uint64_t k = 0;
  std::uint64_t v = 0;
  std::uint64_t indexer = 0;
};
// Errors: invalid_argument when a row does not fill whole blocks of the type.
Result<std::vector<KvRowBytes>> kv_rows(const ModelShape& shape, KvType type);
// While nothing has left a window: what each new token adds over all layers.
Result<std::uint64_t> kv_bytes_per_token(const ModelShape& shape, KvType type);
// All layers after `tokens` tokens: sliding layers hold their window, the recurrent state is in it.
Result<std::uint64_t> kv_bytes(const ModelShape& shape, KvType type, std::uint64_t tokens);

}  // namespace hearth::model
