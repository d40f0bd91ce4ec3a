// Attention of llama and qwen3moe: keys and values per group of heads, every dimension of a key
// rotates. The content is matched in pairs that turn too slowly to matter.

#include <fmt/format.h>

#include <cmath>

#include "hearth/engine/synth/noise.h"
#include "hearth/engine/synth/weights.h"

namespace hearth::engine {
namespace {

struct GroupedMatrices {
  Matrix query, key, value, output;
  double query_norm = 1;  // weight of the norm per head, where there is one

  explicit GroupedMatrices(const Shape& s)
      : query(s.heads * s.head_width, s.width),
        key(s.kv_heads * s.head_width, s.width),
        value(s.kv_heads * s.head_width, s.width),
        output(s.width, s.heads * s.head_width) {}
};

class GroupedBuilder {
 public:
  GroupedBuilder(const Circuit& circuit, std::size_t layer)
      : circuit_(circuit),
        shape_(circuit.shape()),
        slots_(circuit.slots()),
        tuning_(circuit.tuning()),
        seed_(derived_seed(circuit.seed(), fmt::format("layer {}", layer))),
        matrices_(shape_) {}

  GroupedMatrices build(const LayerRole& role) {
    role.role == Role::history ? build_history(role.history) : build_induction();
    rotate();
    return std::move(matrices_);
  }

 private:
  bool has_head_norms() const { return shape_.architecture == Architecture::qwen3moe; }
  double head_root() const { return std::sqrt(static_cast<double>(shape_.head_width)); }
  // qwen3moe keeps the halves of a pair half a head apart, llama side by side.
  std::size_t first_of(std::size_t pair) const { return has_head_norms() ? pair : 2 * pair; }
  std::size_t second_of(std::size_t pair) const {
    return has_head_norms() ? pair + shape_.head_width / 2 : 2 * pair + 1;
  }
  // Dimension of a head that holds the given number of the matched content.
  std::size_t content_row(std::size_t index) const {
    const std::size_t pair = first_still_pair(shape_) + index / 2;
    CHECK(pair < shape_.head_width / 2);
    return index % 2 == 0 ? first_of(pair) : second_of(pair);
  }

  // The score of two vectors with these lengths before norms and scaling is `score`; returns what
  // the query is multiplied with. With head norms the norm's weight does it instead.
  double query_scale(double query_length, double key_length) {
    if (!has_head_norms()) return head_root();
    matrices_.query_norm = query_length * key_length / head_root();
    return 1;
  }

  void set_key_pair(std::size_t pair, double amplitude) {
    for (std::size_t head = 0; head < shape_.kv_heads; ++head) {
      matrices_.key.at(head * shape_.head_width + first_of(pair), slots_.constant()) =
          static_cast<float>(amplitude);
    }
  }
  void set_query_pair(std::size_t head, std::size_t pair, double amplitude, std::size_t offset) {
    const double angle = static_cast<double>(offset) * rope_frequency(shape_, pair);
    const std::size_t row = head * shape_.head_width;
    matrices_.query.at(row + first_of(pair), slots_.constant()) =
        static_cast<float>(amplitude * std::cos(angle));
    matrices_.query.at(row + second_of(pair), slots_.constant()) =
        static_cast<float>(-amplitude * std::sin(angle));
  }

  void build_history(const HistoryLayer& layer) {
    const double constant_gain = circuit_.gain(layer.known) * tuning_.constant_amplitude;
    const std::vector<double> shares = position_shares(shape_);
    const double key_length = 4;
    const double query_length = tuning_.position_score / key_length;
    const double scale = query_scale(query_length, key_length);
    for (std::size_t pair = 0; pair < shares.size(); ++pair) {
      const double part = std::sqrt(shares[pair]) / constant_gain;
      set_key_pair(pair, key_length * part);
      for (std::size_t head = 0; head < shape_.heads; ++head) {
        const HistoryCopy& copy = layer.copies[head % layer.copies.size()];
        set_query_pair(head, pair, query_length * scale * part, copy.offset);
      }
    }
    set_values(slots_.lag(0), layer.known * shape_.lag_width, circuit_.gain(layer.known));
    for (std::size_t head = 0; head < shape_.heads; ++head) write_copy(layer, head);
  }

  void write_copy(const HistoryLayer& layer, std::size_t head) {
    const std::size_t kinds = layer.copies.size();
    const HistoryCopy& copy = layer.copies[head % kinds];
    // Heads beyond the needed ones do the same work again; together they write it once.
    const bool has_extra = head % kinds < shape_.heads % kinds;
    const std::size_t sharers = shape_.heads / kinds + (has_extra ? 1 : 0);
    for (std::size_t i = 0; i < copy.count * shape_.lag_width; ++i) {
      matrices_.output.at(slots_.lag(copy.offset) + i, head * shape_.head_width + i) =
          static_cast<float>(1.0 / static_cast<double>(sharers));
    }
  }

  // Values keep their amplitude in the residual stream.
  void set_values(std::size_t slot, std::size_t count, double gain) {
    CHECK(count <= shape_.head_width);
    for (std::size_t head = 0; head < shape_.kv_heads; ++head) {
      for (std::size_t i = 0; i < count; ++i) {
        matrices_.value.at(head * shape_.head_width + i, slot + i) = static_cast<float>(1 / gain);
      }
    }
  }

  void build_induction() {
    const double gain = circuit_.gain(shape_.lags + 1);
    const PairRange recent = recency_pairs(shape_);
    const auto pairs = static_cast<double>(recent.count);
    const double recency = std::sqrt(tuning_.recency_score / pairs);
    const double query_length =
        std::sqrt(std::pow(circuit_.match_norm(), 2) + tuning_.recency_score);
    const double key_length =
        std::sqrt(static_cast<double>(shape_.lags) + tuning_.recency_score);
    const double scale = query_scale(query_length, key_length);
    for (std::size_t pair = recent.first; pair < recent.first + recent.count; ++pair) {
      const double part = recency / (gain * tuning_.constant_amplitude);
      set_key_pair(pair, part);
      for (std::size_t head = 0; head < shape_.heads; ++head) {
        set_query_pair(head, pair, scale * part, 0);
        const std::size_t row = head * shape_.head_width + first_of(pair);
        for (const HeaderRule& rule : circuit_.header_rules()) {
          read_code(row, rule, scale * rule.recency_score /
                                   (pairs * recency * gain * tuning_.lag_amplitude));
        }
      }
    }
    const double unit = 1 / (gain * tuning_.lag_amplitude);
    set_key_content(unit);
    for (std::size_t head = 0; head < shape_.heads; ++head) set_match(head, scale * unit);
    set_values(slots_.token(), kTokenCodeWidth, gain * tuning_.token_amplitude);
    for (std::size_t head = 0; head < shape_.heads; ++head) {
      for (std::size_t i = 0; i < kTokenCodeWidth; ++i) {
        matrices_.output.at(slots_.output() + i, head * shape_.head_width + i) =
            static_cast<float>(tuning_.output_amplitude / static_cast<double>(shape_.heads));
      }
    }
  }

  void set_key_content(double unit) {
    for (std::size_t head = 0; head < shape_.kv_heads; ++head) {
      for (std::size_t i = 0; i < shape_.lags * shape_.lag_width; ++i) {
        matrices_.key.at(head * shape_.head_width + content_row(i), slots_.lag(1) + i) =
            static_cast<float>(unit);
      }
    }
  }

  // A key's lag m meets the query's lag m - 1: both stand before the token to be copied.
  void set_match(std::size_t head, double unit) {
    const std::size_t row = head * shape_.head_width;
    for (std::size_t lag = 1; lag <= shape_.lags; ++lag) {
      for (std::size_t i = 0; i < shape_.lag_width; ++i) {
        matrices_.query.at(row + content_row((lag - 1) * shape_.lag_width + i),
                           slots_.lag(lag - 1) + i) =
            static_cast<float>(circuit_.match_score(lag) * unit);
      }
    }
    for (const HeaderRule& rule : circuit_.header_rules()) {
      const std::span<const float> target = circuit_.lag_code(rule.target);
      for (std::size_t i = 0; i < target.size(); ++i) {
        read_code(row + content_row((rule.target_lag - 1) * shape_.lag_width + i), rule,
                  target[i] * rule.score * unit);
      }
    }
  }
  // A row of the query reads how much the trigger of a rule is there.
  void read_code(std::size_t row, const HeaderRule& rule, double gain) {
    const std::span<const float> trigger = circuit_.lag_code(rule.trigger);
    for (std::size_t i = 0; i < trigger.size(); ++i) {
      matrices_.query.at(row, slots_.lag(rule.trigger_lag) + i) +=
          trigger[i] * static_cast<float>(gain);
    }
  }

  void rotate() {
    const Rotation& residual = circuit_.residual_rotation();
    rotate_inputs(matrices_.query, residual);
    rotate_inputs(matrices_.key, residual);
    rotate_inputs(matrices_.value, residual);
    rotate_outputs(matrices_.output, residual);
    const std::size_t group = shape_.heads / shape_.kv_heads;
    for (std::size_t kv_head = 0; kv_head < shape_.kv_heads; ++kv_head) {
      const Rotation values(shape_.head_width,
                            derived_seed(seed_, fmt::format("value {}", kv_head)));
      rotate_outputs(matrices_.value, values, kv_head * shape_.head_width);
      for (std::size_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
        rotate_inputs(matrices_.output, values, head * shape_.head_width);
      }
    }
  }

  const Circuit& circuit_;
  const Shape& shape_;
  const Slots& slots_;
  const Tuning& tuning_;
  std::uint64_t seed_;
  GroupedMatrices matrices_;
};

}  // namespace

void add_grouped_attention(TensorList& tensors, const Shape& shape, const Circuit* circuit,
                           std::size_t layer) {
  const auto name = [&](std::string_view part) {
    return fmt::format("blk.{}.{}.weight", layer, part);
  };
  const std::size_t query_width = shape.heads * shape.head_width;
  const std::size_t kv_width = shape.kv_heads * shape.head_width;
  const bool works = circuit != nullptr && circuit->role(layer).role != Role::neutral;
  double query_norm = 1;
  tensors.add_constant(name("attn_norm"), {shape.width, 1, 1}, 1, false);
  if (works) {
    GroupedMatrices built = GroupedBuilder(*circuit, layer).build(circuit->role(layer));
    query_norm = built.query_norm;
    tensors.add_matrix(name("attn_q"), {shape.width, query_width, 1}, std::move(built.query));
    tensors.add_matrix(name("attn_k"), {shape.width, kv_width, 1}, std::move(built.key));
    tensors.add_matrix(name("attn_v"), {shape.width, kv_width, 1}, std::move(built.value));
    tensors.add_matrix(name("attn_output"), {query_width, shape.width, 1}, std::move(built.output));
  } else {
    tensors.add_random(name("attn_q"), {shape.width, query_width, 1});
    tensors.add_random(name("attn_k"), {shape.width, kv_width, 1});
    tensors.add_random(name("attn_v"), {shape.width, kv_width, 1});
    if (circuit != nullptr) {
      tensors.add_constant(name("attn_output"), {query_width, shape.width, 1}, 0, true);
    } else {
      tensors.add_random(name("attn_output"), {query_width, shape.width, 1});
    }
  }
  if (shape.architecture == Architecture::qwen3moe) {
    tensors.add_constant(name("attn_q_norm"), {shape.head_width, 1, 1},
                         static_cast<float>(query_norm), false);
    tensors.add_constant(name("attn_k_norm"), {shape.head_width, 1, 1}, 1, false);
  }
}

}  // namespace hearth::engine
