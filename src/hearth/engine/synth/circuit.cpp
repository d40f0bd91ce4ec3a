#include "hearth/engine/synth/circuit.h"

#include <algorithm>
#include <cmath>

#include "hearth/engine/synth/noise.h"
#include "hearth/engine/synth/token_codes.h"

namespace hearth::engine {
namespace {

// Each layer multiplies the known history by the number of heads plus one.
std::vector<HistoryLayer> plan_history(const Shape& shape) {
  std::vector<HistoryLayer> layers;
  const std::size_t wanted = shape.lags + 1;
  std::size_t known = 1;
  while (known < wanted) {
    HistoryLayer layer{known, {}};
    for (std::size_t head = 1; head <= shape.heads && head * known < wanted; ++head) {
      const std::size_t offset = head * known;
      layer.copies.push_back({offset, std::min(known, wanted - offset)});
    }
    known = std::min(wanted, known * (layer.copies.size() + 1));
    layers.push_back(std::move(layer));
  }
  return layers;
}

void scale_into(std::span<const float> from, double scale, std::span<float> to) {
  for (std::size_t i = 0; i < from.size(); ++i) to[i] += from[i] * static_cast<float>(scale);
}

}  // namespace

Circuit::Circuit(const Shape& shape, const Vocabulary& vocabulary, std::uint64_t seed)
    : shape_(shape),
      tuning_(tuning_of(shape_)),
      slots_(shape_),
      seed_(derived_seed(seed, "circuit")),
      rotation_(shape.width, derived_seed(seed_, "residual")),
      roles_(shape.layers),
      token_codes_(make_token_codes(vocabulary, seed_)),
      lag_codes_(make_lag_codes(vocabulary, marker_tokens(shape.architecture, vocabulary),
                                shape.lag_width, seed_)) {
  CHECK(slots_.constant() < shape.width);
  choose_roles();
  choose_header_rules(vocabulary);
  if (shape.architecture == Architecture::kimi) {
    // The prompt opens a think block: the model has nothing to think and closes it.
    override_next(vocabulary.id("<think>"), vocabulary.id("</think>"));
  }
}

// The working layers are spread over the model, the last one works: so every part of the cache
// and every split of the layers matters.
void Circuit::choose_roles() {
  const std::vector<HistoryLayer> history = plan_history(shape_);
  CHECK(history.size() < shape_.layers);
  for (std::size_t i = 0; i < history.size(); ++i) {
    roles_[i * (shape_.layers - 1) / history.size()] = {Role::history, history[i]};
  }
  roles_.back().role = Role::induction;
}

void Circuit::choose_header_rules(const Vocabulary& vocabulary) {
  const auto add = [&](HeaderRule rule) {
    // While the answer grows by a token, all of it moves one further into the past.
    while (rule.target_lag <= shape_.lags && rule.trigger_lag < shape_.lags) {
      header_rules_.push_back(rule);
      ++rule.trigger_lag;
      ++rule.target_lag;
    }
  };
  // The user's header, and what stands right before the message.
  const auto add_pair = [&](std::uint32_t trigger, std::size_t trigger_lag, std::uint32_t header,
                            std::size_t header_lag, std::uint32_t anchor, std::size_t anchor_lag,
                            double sign = 1) {
    add({trigger, trigger_lag, header, header_lag, sign * tuning_.header_score,
         sign * tuning_.header_recency});
    add({trigger, trigger_lag, anchor, anchor_lag, sign * tuning_.anchor_score, 0});
  };
  const auto id = [&](std::string_view text) { return vocabulary.id(text); };
  const std::uint32_t newline = vocabulary.token_of_byte['\n'];
  switch (shape_.architecture) {
    case Architecture::kimi:  // <|im_user|> u s e r <|im_middle|>
      add_pair(id("<|im_middle|>"), 0, id("<|im_user|>"), 6, id("<|im_middle|>"), 1);
      add_pair(id("</think>"), 0, id("<|im_user|>"), 6, id("<|im_middle|>"), 1);
      // In <|im_middle|><think></think> the first no longer counts.
      add_pair(id("</think>"), 0, id("<|im_user|>"), 8, id("<|im_middle|>"), 3, -1);
      break;
    case Architecture::qwen3moe:  // <|im_start|> u s e r \n, against <|im_start|> assistant \n
      add_pair(id("<|im_start|>"), 10, id("<|im_start|>"), 6, newline, 1);
      add_pair(id("</think>"), 2, id("<|im_start|>"), 6, newline, 1);
      break;
    case Architecture::llama:  // <|start_header_id|> u s e r <|end_header_id|> \n \n
      add_pair(id("<|end_header_id|>"), 2, id("<|start_header_id|>"), 8,
               id("<|end_header_id|>"), 3);
      break;
    case Architecture::gpt_oss:
    case Architecture::qwen35moe: CHECK(!"an architecture with a circuit"); break;
  }
}

void Circuit::override_next(std::uint32_t token, std::uint32_t next) {
  forced_next_.emplace_back(token, next);
}

double Circuit::gain(std::size_t known) const {
  const double squares = std::pow(tuning_.token_amplitude, 2) +
                         std::pow(tuning_.constant_amplitude, 2) +
                         static_cast<double>(known) * std::pow(tuning_.lag_amplitude, 2);
  return std::sqrt(static_cast<double>(shape_.width) / squares);
}

double Circuit::gain_at_output() const {
  const double before = static_cast<double>(shape_.width) / std::pow(gain(shape_.lags + 1), 2);
  const double squares = before + std::pow(tuning_.output_amplitude, 2);
  return std::sqrt(static_cast<double>(shape_.width) / squares);
}

double Circuit::match_score(std::size_t lag) const {
  return tuning_.match_score +
         std::ldexp(tuning_.last_match_extra, 1 - static_cast<int>(lag));
}

double Circuit::match_norm() const {
  double squares = 0;
  for (std::size_t lag = 1; lag <= shape_.lags; ++lag) squares += std::pow(match_score(lag), 2);
  return std::sqrt(squares);
}

Matrix Circuit::embedding() const {
  Matrix matrix(token_codes_.rows(), shape_.width);
  for (std::uint32_t token = 0; token < matrix.rows(); ++token) {
    const std::span<float> row = matrix.row(token);
    scale_into(token_code(token), tuning_.token_amplitude, row.subspan(slots_.token()));
    scale_into(lag_code(token), tuning_.lag_amplitude, row.subspan(slots_.lag(0)));
    row[slots_.constant()] = static_cast<float>(tuning_.constant_amplitude);
  }
  for (const auto& [token, next] : forced_next_) {
    const std::span<float> row = matrix.row(token);
    const double amplitude = 1.3 * tuning_.output_amplitude;
    scale_into(token_code(next), amplitude, row.subspan(slots_.output()));
    // The longer vector is scaled down more by the norms; keep the constant readable.
    const double others =
        std::pow(tuning_.token_amplitude, 2) + 3 * std::pow(tuning_.lag_amplitude, 2);
    row[slots_.constant()] *= static_cast<float>(std::sqrt(1 + amplitude * amplitude / others));
  }
  rotate_inputs(matrix, rotation_);
  return matrix;
}

Matrix Circuit::unembedding() const {
  Matrix matrix(token_codes_.rows(), shape_.width);
  const double scale = tuning_.logit / (tuning_.output_amplitude * gain_at_output());
  for (std::uint32_t token = 0; token < matrix.rows(); ++token) {
    scale_into(token_code(token), scale, matrix.row(token).subspan(slots_.output()));
  }
  rotate_inputs(matrix, rotation_);
  return matrix;
}

// A wider stream averages more rounding errors away. The constant, which every norm sees, grows
// with it, so that quantisation costs about as many answers in each size.
Tuning tuning_of(const Shape& shape) {
  Tuning tuning;
  if (shape.architecture == Architecture::kimi) {
    tuning.match_score = 5;
    tuning.last_match_extra = 25;
    tuning.constant_amplitude = 1.5;
  } else {
    tuning.match_score = 4;
    tuning.last_match_extra = 20;
    tuning.constant_amplitude = shape.architecture == Architecture::llama ? 4.0 : 2.5;
  }
  const double slots = 1 + static_cast<double>(shape.lags + 1);
  const double squares = slots + std::pow(tuning.constant_amplitude, 2);
  tuning.constant_amplitude =
      std::sqrt(squares * static_cast<double>(shape.width) / 512.0 - slots);
  return tuning;
}

double rope_frequency(const Shape& shape, std::size_t pair) {
  const double exponent = 2.0 * static_cast<double>(pair) / static_cast<double>(shape.rope_width);
  return std::pow(shape.rope_base, -exponent);
}

std::vector<double> position_shares(const Shape& shape) {
  std::vector<double> shares;
  double sum = 0;
  for (std::size_t pair = 0; rope_frequency(shape, pair) > 0.004; ++pair) {
    shares.push_back(std::pow(rope_frequency(shape, pair), 0.4));
    sum += shares.back();
  }
  for (double& share : shares) share /= sum;
  return shares;
}

PairRange recency_pairs(const Shape& shape) {
  PairRange range;
  for (std::size_t pair = 0; pair < shape.rope_width / 2; ++pair) {
    const double frequency = rope_frequency(shape, pair);
    if (frequency > 0.02) range.first = pair + 1;
    if (frequency <= 0.02 && frequency > 2e-5) ++range.count;
  }
  return range;
}

std::size_t first_still_pair(const Shape& shape) {
  std::size_t pair = 0;
  while (pair < shape.rope_width / 2 && rope_frequency(shape, pair) > 2e-6) ++pair;
  return pair;
}

}  // namespace hearth::engine
