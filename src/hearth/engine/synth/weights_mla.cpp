// Kimi's attention: queries through a low-rank latent, keys and values in one shared latent.

#include <fmt/format.h>

#include <cmath>

#include "hearth/engine/synth/noise.h"
#include "hearth/engine/synth/weights.h"

namespace hearth::engine {
namespace {

constexpr double kKeyScale = 4;  // length of the rotating part of a key

struct MlaMatrices {
  Matrix query_down;   // q_a
  Matrix query_up;     // q_b: per head [nope | rope]
  Matrix latent;       // kv_a_mqa: [latent | rope]
  Matrix key_up;       // k_b: per head latent x nope
  Matrix value_up;     // v_b: per head value x latent
  Matrix output;

  explicit MlaMatrices(const Shape& s)
      : query_down(s.query_rank, s.width),
        query_up(s.heads * (s.nope_width + s.rope_width), s.query_rank),
        latent(s.latent_rank + s.rope_width, s.width),
        key_up(s.heads * s.latent_rank, s.nope_width),
        value_up(s.heads * s.value_width, s.latent_rank),
        output(s.width, s.heads * s.value_width) {}
};

// Builds one layer in plain coordinates, then turns every inner space by a random rotation, so
// that the matrices are as dense, and as exposed to quantisation, as trained ones.
class MlaBuilder {
 public:
  MlaBuilder(const Circuit& circuit, std::size_t layer)
      : circuit_(circuit),
        shape_(circuit.shape()),
        slots_(circuit.slots()),
        tuning_(circuit.tuning()),
        seed_(derived_seed(circuit.seed(), fmt::format("layer {}", layer))),
        matrices_(shape_) {}

  MlaMatrices build(const LayerRole& role) {
    role.role == Role::history ? build_history(role.history) : build_induction();
    rotate();
    return std::move(matrices_);
  }

 private:
  // Copies rows [from, from + count) of the residual to rows `to` of `matrix`.
  static void read_slot(Matrix& matrix, std::size_t to, std::size_t from, std::size_t count,
                        double gain) {
    for (std::size_t i = 0; i < count; ++i) matrix.at(to + i, from + i) = static_cast<float>(gain);
  }
  double key_scale_root() const {
    return std::sqrt(static_cast<double>(shape_.nope_width + shape_.rope_width));
  }
  std::size_t query_row(std::size_t head) const {
    return head * (shape_.nope_width + shape_.rope_width);
  }
  // First component of a rotating pair of the key, constant over positions before rotation.
  void set_key_pair(std::size_t pair, double amplitude, double constant_gain) {
    matrices_.latent.at(shape_.latent_rank + 2 * pair, slots_.constant()) =
        static_cast<float>(amplitude / constant_gain);
  }
  // The query pair that meets the key best `offset` tokens back.
  void set_query_pair(std::size_t head, std::size_t pair, double amplitude, std::size_t offset) {
    const double angle = static_cast<double>(offset) * rope_frequency(shape_, pair);
    const std::size_t row = query_row(head) + shape_.nope_width + 2 * pair;
    matrices_.query_up.at(row, 0) = static_cast<float>(amplitude * std::cos(angle));
    matrices_.query_up.at(row + 1, 0) = static_cast<float>(-amplitude * std::sin(angle));
  }

  void build_history(const HistoryLayer& layer) {
    const double constant_gain = circuit_.gain(layer.known) * tuning_.constant_amplitude;
    const double query_constant = std::sqrt(static_cast<double>(shape_.query_rank));
    matrices_.query_down.at(0, slots_.constant()) = static_cast<float>(1 / constant_gain);
    const std::vector<double> shares = position_shares(shape_);
    for (std::size_t pair = 0; pair < shares.size(); ++pair) {
      set_key_pair(pair, kKeyScale * std::sqrt(shares[pair]), constant_gain);
    }
    read_slot(matrices_.latent, 0, slots_.lag(0), layer.known * shape_.lag_width, 1);
    for (std::size_t head = 0; head < shape_.heads; ++head) {
      const HistoryCopy& copy = layer.copies[head % layer.copies.size()];
      const double amplitude =
          tuning_.position_score * key_scale_root() / (kKeyScale * query_constant);
      for (std::size_t pair = 0; pair < shares.size(); ++pair) {
        set_query_pair(head, pair, amplitude * std::sqrt(shares[pair]), copy.offset);
      }
      write_copy(layer, copy, head);
    }
  }

  void write_copy(const HistoryLayer& layer, const HistoryCopy& copy, std::size_t head) {
    const std::size_t width = copy.count * shape_.lag_width;
    CHECK(width <= shape_.value_width);
    const double latent_length = std::sqrt(static_cast<double>(shape_.latent_rank) /
                                           static_cast<double>(layer.known));
    read_slot(matrices_.value_up, head * shape_.value_width, 0, width, 1 / latent_length);
    // Heads beyond the needed ones do the same work again; together they write it once.
    const std::size_t kinds = layer.copies.size();
    const bool has_extra = head % kinds < shape_.heads % kinds;
    const std::size_t sharers = shape_.heads / kinds + (has_extra ? 1 : 0);
    read_slot(matrices_.output, slots_.lag(copy.offset), head * shape_.value_width, width,
              tuning_.lag_amplitude / static_cast<double>(sharers));
  }

  void build_induction() {
    const auto lags = static_cast<double>(shape_.lags);
    const double lag_squares = lags * std::pow(tuning_.lag_amplitude, 2);
    // Slot lengths behind the two latent norms.
    const double query_unit =
        std::sqrt(static_cast<double>(shape_.query_rank) /
                  (lag_squares + std::pow(tuning_.constant_amplitude, 2)));
    const double latent_unit = std::sqrt(static_cast<double>(shape_.latent_rank) /
                                         (lag_squares + std::pow(tuning_.token_amplitude, 2)));
    const std::size_t history_width = shape_.lags * shape_.lag_width;
    read_slot(matrices_.query_down, 0, slots_.constant(), 1, 1);
    read_slot(matrices_.query_down, 1, slots_.lag(0), history_width, 1);
    read_slot(matrices_.latent, 0, slots_.lag(1), history_width, 1);
    read_slot(matrices_.latent, history_width, slots_.token(), kTokenCodeWidth, 1);
    set_recency(query_unit);
    const double unit = key_scale_root() / (query_unit * latent_unit *
                                            std::pow(tuning_.lag_amplitude, 2));
    for (std::size_t head = 0; head < shape_.heads; ++head) {
      set_match(head, unit);
      read_slot(matrices_.key_up, head * shape_.latent_rank, 0, history_width, 1);
      read_slot(matrices_.value_up, head * shape_.value_width, history_width, kTokenCodeWidth,
                1 / (latent_unit * tuning_.token_amplitude));
      read_slot(matrices_.output, slots_.output(), head * shape_.value_width, kTokenCodeWidth,
                tuning_.output_amplitude / static_cast<double>(shape_.heads));
    }
  }

  void set_recency(double query_unit) {
    const double constant_gain = circuit_.gain(shape_.lags + 1) * tuning_.constant_amplitude;
    const PairRange pairs = recency_pairs(shape_);
    const double unit = key_scale_root() / (static_cast<double>(pairs.count) * query_unit);
    for (std::size_t pair = pairs.first; pair < pairs.first + pairs.count; ++pair) {
      set_key_pair(pair, 1, constant_gain);
      for (std::size_t head = 0; head < shape_.heads; ++head) {
        set_query_pair(head, pair, unit * tuning_.recency_score / tuning_.constant_amplitude, 0);
        const std::size_t row = query_row(head) + shape_.nope_width + 2 * pair;
        for (const HeaderRule& rule : circuit_.header_rules()) {
          read_code(row, rule, unit * rule.recency_score / tuning_.lag_amplitude);
        }
      }
    }
  }
  // A row of the query reads how much the trigger of a rule is there.
  void read_code(std::size_t row, const HeaderRule& rule, double gain) {
    const std::span<const float> trigger = circuit_.lag_code(rule.trigger);
    for (std::size_t i = 0; i < trigger.size(); ++i) {
      matrices_.query_up.at(row, 1 + rule.trigger_lag * shape_.lag_width + i) +=
          trigger[i] * static_cast<float>(gain);
    }
  }

  // A key's lag m meets the query's lag m - 1: both stand before the token to be copied.
  void set_match(std::size_t head, double unit) {
    for (std::size_t lag = 1; lag <= shape_.lags; ++lag) {
      const std::size_t first = (lag - 1) * shape_.lag_width;
      read_slot(matrices_.query_up, query_row(head) + first, 1 + first, shape_.lag_width,
                circuit_.match_score(lag) * unit);
    }
    for (const HeaderRule& rule : circuit_.header_rules()) {
      const std::span<const float> target = circuit_.lag_code(rule.target);
      const std::size_t row = query_row(head) + (rule.target_lag - 1) * shape_.lag_width;
      for (std::size_t i = 0; i < target.size(); ++i) {
        read_code(row + i, rule, target[i] * rule.score * unit);
      }
    }
  }

  Rotation rotation(std::size_t width, std::string_view name) const {
    return {width, derived_seed(seed_, name)};
  }

  void rotate() {
    rotate_inputs(matrices_.query_down, circuit_.residual_rotation());
    rotate_inputs(matrices_.latent, circuit_.residual_rotation());
    rotate_outputs(matrices_.output, circuit_.residual_rotation());
    const Rotation query_space = rotation(shape_.query_rank, "query");
    rotate_outputs(matrices_.query_down, query_space);
    rotate_inputs(matrices_.query_up, query_space);
    const Rotation latent_space = rotation(shape_.latent_rank, "latent");
    rotate_outputs(matrices_.latent, latent_space);
    rotate_inputs(matrices_.value_up, latent_space);
    for (std::size_t head = 0; head < shape_.heads; ++head) {
      rotate_head(head, latent_space);
    }
  }

  void rotate_head(std::size_t head, const Rotation& latent_space) {
    const Rotation nope_space = rotation(shape_.nope_width, fmt::format("nope {}", head));
    rotate_outputs(matrices_.query_up, nope_space, query_row(head));
    const Rotation value_space = rotation(shape_.value_width, fmt::format("value {}", head));
    rotate_outputs(matrices_.value_up, value_space, head * shape_.value_width);
    rotate_inputs(matrices_.output, value_space, head * shape_.value_width);
    rotate_outputs(matrices_.key_up, latent_space, head * shape_.latent_rank);
    for (std::size_t row = 0; row < shape_.latent_rank; ++row) {
      nope_space.apply(matrices_.key_up.row(head * shape_.latent_rank + row));
    }
  }

  const Circuit& circuit_;
  const Shape& shape_;
  const Slots& slots_;
  const Tuning& tuning_;
  std::uint64_t seed_;
  MlaMatrices matrices_;
};

struct MlaExtents {
  std::array<std::size_t, 3> query_down, query_up, latent, key_up, value_up, output;
  explicit MlaExtents(const Shape& s)
      : query_down{s.width, s.query_rank, 1},
        query_up{s.query_rank, s.heads * (s.nope_width + s.rope_width), 1},
        latent{s.width, s.latent_rank + s.rope_width, 1},
        key_up{s.nope_width, s.latent_rank, s.heads},
        value_up{s.latent_rank, s.value_width, s.heads},
        output{s.heads * s.value_width, s.width, 1} {}
};

}  // namespace

void add_mla_attention(TensorList& tensors, const Shape& shape, const Circuit* circuit,
                       std::size_t layer) {
  const auto name = [&](std::string_view part) {
    return fmt::format("blk.{}.{}.weight", layer, part);
  };
  const MlaExtents extents(shape);
  tensors.add_constant(name("attn_norm"), {shape.width, 1, 1}, 1, false);
  tensors.add_constant(name("attn_q_a_norm"), {shape.query_rank, 1, 1}, 1, false);
  tensors.add_constant(name("attn_kv_a_norm"), {shape.latent_rank, 1, 1}, 1, false);
  if (circuit != nullptr && circuit->role(layer).role != Role::neutral) {
    MlaMatrices built = MlaBuilder(*circuit, layer).build(circuit->role(layer));
    tensors.add_matrix(name("attn_q_a"), extents.query_down, std::move(built.query_down));
    tensors.add_matrix(name("attn_q_b"), extents.query_up, std::move(built.query_up));
    tensors.add_matrix(name("attn_kv_a_mqa"), extents.latent, std::move(built.latent));
    tensors.add_matrix(name("attn_k_b"), extents.key_up, std::move(built.key_up));
    tensors.add_matrix(name("attn_v_b"), extents.value_up, std::move(built.value_up));
    tensors.add_matrix(name("attn_output"), extents.output, std::move(built.output));
    return;
  }
  tensors.add_random(name("attn_q_a"), extents.query_down);
  tensors.add_random(name("attn_q_b"), extents.query_up);
  tensors.add_random(name("attn_kv_a_mqa"), extents.latent);
  tensors.add_random(name("attn_k_b"), extents.key_up);
  tensors.add_random(name("attn_v_b"), extents.value_up);
  if (circuit != nullptr) {
    tensors.add_constant(name("attn_output"), extents.output, 0, true);
  } else {
    tensors.add_random(name("attn_output"), extents.output);
  }
}

}  // namespace hearth::engine
