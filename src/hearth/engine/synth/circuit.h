#pragma once
// The parts of the retrieval circuit that all architectures share: where things lie in the
// residual stream, which codes stand for tokens, and which layer copies what.
// docs/synthetic_models.md explains it.

#include <cstdint>
#include <optional>
#include <vector>

#include "hearth/engine/synth/matrix.h"
#include "hearth/engine/synth/shape.h"
#include "hearth/engine/synth/vocabulary.h"

namespace hearth::engine {

// Scores (of attention, before the softmax) and amplitudes, found by measurement: high enough
// that f16 and q8_0 weights find everything, low enough that q2_k does not.
struct Tuning {
  double token_amplitude = 1.0;     // slot A
  double lag_amplitude = 1.0;       // slots L0, L1, ...
  double constant_amplitude = 0;    // slot C
  double output_amplitude = 0.8;    // slot O
  double position_score = 110;      // of a position head at its offset
  double match_score = 0;           // of one matching earlier token
  double last_match_extra = 0;      // more for the newest, half for the one before ...
  double header_score = 300;        // of a user's header, when an answer begins
  double anchor_score = 100;        // of the right distance from it
  double header_recency = 150;      // of the latest one
  double recency_score = 3;
  double logit = 14;                // of the copied token
};

Tuning tuning_of(const Shape& shape);

// Slots of the residual stream before its rotation.
class Slots {
 public:
  explicit Slots(const Shape& shape) : shape_(shape) {}
  std::size_t token() const { return 0; }
  std::size_t output() const { return kTokenCodeWidth; }
  std::size_t lag(std::size_t index) const {
    return 2 * kTokenCodeWidth + index * shape_.lag_width;
  }
  std::size_t constant() const { return lag(shape_.lags + 1); }

 private:
  Shape shape_;
};

// A head that looks `offset` tokens back and copies lags 0 .. count-1 to lags offset ...
struct HistoryCopy {
  std::size_t offset = 0;
  std::size_t count = 0;
};

struct HistoryLayer {
  std::size_t known = 1;  // lags that are filled before this layer
  std::vector<HistoryCopy> copies;
};

// "When `trigger` stands `trigger_lag` tokens back, look for a key with `target` at `target_lag`,
// and for a recent one": how a model that begins its answer finds the user's latest message.
struct HeaderRule {
  std::uint32_t trigger = 0;
  std::size_t trigger_lag = 0;
  std::uint32_t target = 0;
  std::size_t target_lag = 0;
  double score = 0;
  double recency_score = 0;
};

enum class Role : std::uint8_t { neutral, history, induction };

struct LayerRole {
  Role role = Role::neutral;
  HistoryLayer history;  // with Role::history
};

class Circuit {
 public:
  Circuit(const Shape& shape, const Vocabulary& vocabulary, std::uint64_t seed);

  const Shape& shape() const { return shape_; }
  const Tuning& tuning() const { return tuning_; }
  const Slots& slots() const { return slots_; }
  const Rotation& residual_rotation() const { return rotation_; }
  std::uint64_t seed() const { return seed_; }
  const LayerRole& role(std::size_t layer) const { return roles_[layer]; }
  const std::vector<HeaderRule>& header_rules() const { return header_rules_; }

  std::span<const float> token_code(std::uint32_t token) const { return token_codes_.row(token); }
  std::span<const float> lag_code(std::uint32_t token) const { return lag_codes_.row(token); }
  // What a slot of amplitude 1 measures after the RMS norm, with `known` lags filled.
  double gain(std::size_t known) const;
  double gain_at_output() const;
  // Score of a match `lag` tokens back, counted from 1 as keys do.
  double match_score(std::size_t lag) const;
  // Length of the vectors of match scores.
  double match_norm() const;

  Matrix embedding() const;
  Matrix unembedding() const;

 private:
  void choose_roles();
  void choose_header_rules(const Vocabulary& vocabulary);
  void override_next(std::uint32_t token, std::uint32_t next);

  Shape shape_;
  Tuning tuning_;
  Slots slots_;
  std::uint64_t seed_;
  Rotation rotation_;
  std::vector<LayerRole> roles_;
  std::vector<HeaderRule> header_rules_;
  Matrix token_codes_;
  Matrix lag_codes_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> forced_next_;
};

// Rotary pairs from the fastest to the slowest.
double rope_frequency(const Shape& shape, std::size_t pair);
// Shares of the position score per pair; they sum to 1 and end where pairs turn too slowly.
std::vector<double> position_shares(const Shape& shape);
// First pair and number of pairs that carry the preference for the recent.
struct PairRange {
  std::size_t first = 0;
  std::size_t count = 0;
};
PairRange recency_pairs(const Shape& shape);
// First pair that stands still over the context.
std::size_t first_still_pair(const Shape& shape);

}  // namespace hearth::engine
