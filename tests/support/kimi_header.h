#pragma once
// The header of a Kimi K2.6 GGUF with its real dimensions (vocabulary 163,840, 61 layers, 384
// experts) as deepseek2 files have it: 1,096 tensors and no data. Experts in one type, everything
// large beside them in another, norms and router in f32.

#include <string>

#include "support/gguf_writer.h"

namespace hearth::testing {

struct KimiTypes {
  std::uint32_t experts = 2;  // q4_0
  std::uint32_t rest = 8;     // q8_0
};

inline void add_kimi_metadata(GgufWriter& w) {
  w.text("general.architecture", "deepseek2").text("general.name", "Kimi-K2.6");
  w.u32("deepseek2.block_count", 61).u32("deepseek2.context_length", 262'144);
  w.u32("deepseek2.embedding_length", 7'168).u32("deepseek2.feed_forward_length", 18'432);
  w.u32("deepseek2.attention.head_count", 64).u32("deepseek2.attention.head_count_kv", 1);
  w.u32("deepseek2.attention.q_lora_rank", 1'536).u32("deepseek2.attention.kv_lora_rank", 512);
  w.u32("deepseek2.attention.key_length", 576).u32("deepseek2.attention.value_length", 512);
  w.u32("deepseek2.attention.key_length_mla", 192).u32("deepseek2.attention.value_length_mla", 128);
  w.u32("deepseek2.rope.dimension_count", 64).f32("deepseek2.rope.freq_base", 50'000.0F);
  w.text("deepseek2.rope.scaling.type", "yarn").f32("deepseek2.rope.scaling.factor", 64.0F);
  w.u32("deepseek2.rope.scaling.original_context_length", 4'096);
  w.u32("deepseek2.leading_dense_block_count", 1).u32("deepseek2.expert_count", 384);
  w.u32("deepseek2.expert_used_count", 8).u32("deepseek2.expert_shared_count", 1);
  w.u32("deepseek2.expert_feed_forward_length", 2'048).u32("deepseek2.vocab_size", 163'840);
}

inline void add_kimi_attention(GgufWriter& w, const std::string& p, std::uint32_t rest) {
  w.tensor(p + "attn_norm.weight", 0, {7'168});
  w.tensor(p + "attn_q_a.weight", rest, {7'168, 1'536});
  w.tensor(p + "attn_q_a_norm.weight", 0, {1'536});
  w.tensor(p + "attn_q_b.weight", rest, {1'536, 12'288});
  w.tensor(p + "attn_kv_a_mqa.weight", rest, {7'168, 576});
  w.tensor(p + "attn_kv_a_norm.weight", 0, {512});
  w.tensor(p + "attn_k_b.weight", rest, {128, 512, 64});
  w.tensor(p + "attn_v_b.weight", rest, {512, 128, 64});
  w.tensor(p + "attn_output.weight", rest, {8'192, 7'168});
  w.tensor(p + "ffn_norm.weight", 0, {7'168});
}

inline GgufWriter kimi_header(KimiTypes types = {}) {
  GgufWriter w;
  add_kimi_metadata(w);
  w.tensor("token_embd.weight", types.rest, {7'168, 163'840});
  w.tensor("output_norm.weight", 0, {7'168}).tensor("output.weight", types.rest, {7'168, 163'840});
  for (int layer = 0; layer < 61; ++layer) {
    const std::string p = "blk." + std::to_string(layer) + ".";
    add_kimi_attention(w, p, types.rest);
    if (layer == 0) {
      w.tensor(p + "ffn_gate.weight", types.rest, {7'168, 18'432});
      w.tensor(p + "ffn_up.weight", types.rest, {7'168, 18'432});
      w.tensor(p + "ffn_down.weight", types.rest, {18'432, 7'168});
      continue;
    }
    w.tensor(p + "ffn_gate_inp.weight", 0, {7'168, 384}).tensor(p + "exp_probs_b.bias", 0, {384});
    w.tensor(p + "ffn_gate_exps.weight", types.experts, {7'168, 2'048, 384});
    w.tensor(p + "ffn_up_exps.weight", types.experts, {7'168, 2'048, 384});
    w.tensor(p + "ffn_down_exps.weight", types.experts, {2'048, 7'168, 384});
    w.tensor(p + "ffn_gate_shexp.weight", types.rest, {7'168, 2'048});
    w.tensor(p + "ffn_up_shexp.weight", types.rest, {7'168, 2'048});
    w.tensor(p + "ffn_down_shexp.weight", types.rest, {2'048, 7'168});
  }
  return w;
}

}  // namespace hearth::testing
