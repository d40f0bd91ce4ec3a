#pragma once
// What the planner needs of one model in one quantisation: bytes per layer, what a token touches,
// KV and attention. Made from the catalogue, or from a model file's shape by one conversion.
// A value; pure functions over it are in formulas.h.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/plan/catalog/catalog.h"

namespace hearth::plan {

// Weights of one layer. In a mixture of experts the routed part is touched in proportion to the
// experts chosen, the rest whole.
struct LayerWeights {
  std::uint64_t routed_bytes = 0;
  std::uint64_t other_bytes = 0;
  std::uint64_t bytes() const { return routed_bytes + other_bytes; }
  bool operator==(const LayerWeights&) const = default;
};

enum class AttentionForm : std::uint8_t { expanded, absorbed };  // of MLA; others have one form

struct ModelCard {
  std::string model{};         // catalogue key, or the file's name
  std::string architecture{};  // models with one architecture count as one in calibration
  std::string name{};
  std::string variant{};
  std::string format{};  // "gguf", "mlx", …
  std::string note{};    // shown beside the plan: why this variant is degraded
  std::vector<LayerWeights> layers{};
  std::uint64_t embedding_bytes = 0;  // held by the machine that leads, one row read per token
  std::uint64_t head_bytes = 0;       // held by it too, read whole for each decoded token
  std::uint32_t experts = 0;          // 0: dense
  std::uint32_t experts_per_token = 0;
  double linear_flop_per_token = 0;  // prefill: no embedding, no head; 0: not known
  double attention_flop = 0;         // per new token and context token, layers with full attention
  double attention_flop_absorbed = 0;  // 0: the architecture has no absorbed form
  double kv_up_flop = 0;               // expanded MLA: per context token, once per pass
  double sliding_attention_flop = 0;   // per new token and token in the window
  std::uint32_t sliding_window = 0;
  std::uint64_t kv_bytes_per_token_f16 = 0;  // of layers whose KV grows
  std::uint64_t kv_bytes_per_token_q8_0 = 0;
  std::uint64_t kv_bytes_per_token_sliding_f16 = 0;  // of layers that keep `sliding_window` tokens
  std::uint64_t recurrent_state_bytes = 0;           // per sequence
  std::uint64_t context_max = 0;                     // 0: not known
  std::uint32_t hidden = 0;
  std::uint32_t heads = 0;
  std::uint32_t vocab = 0;
  std::uint32_t feed_forward_width = 0;  // widest inner layer: dense, or all chosen experts together
  // MLA: values per token that are alive together in its absorbed form, see mla_width; else 0.
  double attention_width = 0;
  std::string calculated_from{};  // where the bytes come from
  bool mixture() const { return experts > 0; }
  bool operator==(const ModelCard&) const = default;
};

// One token's values of MLA as libllama computes it, when query and key are put together: the layer's
// input, the query, its absorbed form, latent and rotated parts before and after.
struct MlaWidths {
  double hidden = 0, heads = 0, nope = 0, rope = 0, latent = 0;
};
double mla_width(const MlaWidths& w);

// Bits of the bulk and of the rest, for a variant that states neither sizes nor bits.
struct Bits {
  double bulk = 0;
  double other = 0;
};

// One variant of the catalogue, by its name or an unambiguous part of it ("Q4" for UD-Q4_K_XL).
// not_found names the variants there are; unsupported when the model lacks what a plan needs.
Result<ModelCard> card_of(const Catalog& catalog, std::string_view model, std::string_view variant);

// A model at given bits per weight, for measurements of variants nobody listed.
ModelCard card_of_bits(const Model& model, std::string_view quant, Bits bits);

// The variant of `model` that `name` means: exact, else the only one that contains it.
const Variant* find_variant(const Model& model, std::string_view name);

}  // namespace hearth::plan
