#pragma once
// Models, their variants and quantisations as the catalogue knows them. Plain values.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hearth/plan/catalog/machine.h"

namespace hearth::plan {

// One file set of a model.
struct Variant {
  std::string name{};
  std::string format{};
  std::uint64_t bytes = 0;
  std::optional<double> routed_bits_per_weight{};
  std::optional<std::uint64_t> bytes_read_per_token{};
  std::optional<std::uint64_t> bytes_per_layer{};
  std::optional<double> perplexity{};
  std::string layout{};
  std::string requires_engine{};
  std::string note{};
  Origin origin{};
};

// One architecture. `architecture` is the key of the entry that describes it: its own, or that of
// the model it equals; two models with one architecture count as the same model everywhere.
struct Model {
  std::string key{};
  std::string architecture{};
  std::string name{};
  std::string gguf_arch{};
  std::string attention{};
  double total_params = 0;
  double active_params_decode = 0;   // with the output head
  double active_params_prefill = 0;  // without: it runs on the last token only; 0: not known
  double active_routed_params = 0;
  double routed_params = 0;
  double head_params = 0;
  double other_params = 0;
  std::uint32_t layers = 0;
  std::uint32_t dense_layers = 0;
  std::uint32_t full_attention_layers = 0;  // 0: all of them
  std::uint32_t sliding_attention_layers = 0;
  std::uint32_t sliding_window = 0;
  std::uint32_t hidden = 0;
  std::uint32_t heads = 0;
  std::uint32_t vocab = 0;
  std::uint32_t dense_ffn = 0;  // inner width of a dense layer
  std::uint32_t moe_ffn = 0;    // of one expert
  std::uint32_t experts = 0;
  std::uint32_t experts_per_token = 0;
  std::uint64_t context = 0;  // 0: not known
  std::uint64_t kv_bytes_per_token_f16 = 0;
  std::uint64_t kv_bytes_per_token_q8_0 = 0;  // 0: not known
  std::uint64_t kv_bytes_per_token_f16_full_layers = 0;
  std::uint64_t recurrent_state_bytes = 0;
  double attention_flop_per_context_token = 0;           // FLOP per new and context token
  double attention_flop_per_context_token_absorbed = 0;  // MLA as libllama computes it
  double kv_up_projection_flop_per_context_token = 0;    // MLA expanded: once per chunk
  std::vector<Variant> variants{};
  std::vector<std::string> notes{};
  Origin origin{};
};

struct Quantisation {
  std::string key{};
  double bits_per_weight = 0;        // the bulk of the file
  double other_bits_per_weight = 0;  // the non-routed part of a mixture of experts
  Origin origin{};
};

}  // namespace hearth::plan
