#pragma once
// Learns how far real rates lie from a physical prior, and says how sure it is.
//
// Each observation is a log ratio (measured over prior) with a description of what was measured.
// The correction for something new is the best linear unbiased prediction (kriging, or a Gaussian
// process) under additive effects: of the chip, the kernels, their generation, the model class, the
// model, and their combinations, plus the share of attention per backend. The standard deviations
// of those effects are the only constants; all rows share them, none belongs to a row.
// Formulas: docs/cost_model.md, section 4. Pure; immutable after build.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::plan {

// What a rate depends on besides physics.
struct KernelKey {
  std::string chip{};
  std::string backend{};
  std::string kernels{};
  std::string generation{};
  std::string architecture{};
  bool mixture = false;
  double attention_share = 0;  // of the FLOPs; 0 for decode
};

struct Observation {
  KernelKey key{};
  double log_ratio = 0;
  std::string id{};  // of the measurement
  bool own = false;  // measured on this very machine: less noise
};

// Standard deviations of the effects, in log units (0.3: a factor of about 1.35 either way).
struct EffectSizes {
  double common = 1.0;
  double chip = 0.4;
  double kernels = 0.2;
  double generation = 0.3;
  double model_class = 0.3;
  double model = 0.15;
  double chip_generation = 0.2;
  double pair = 0.15;
  double attention_backend = 0.5;  // times the share of attention in the FLOPs
  double attention_pair = 0.15;    // likewise: keeps long extrapolations humble
  double noise = 0.15;
  double noise_own = 0.03;
};

struct Evidence {
  std::string id{};
  double weight = 0;  // how much of the correction rests on it; may be negative
};

struct Correction {
  double log_mean = 0;
  double log_sd = 0;                 // of the prediction, noise included
  std::vector<Evidence> evidence{};  // heaviest first
};

class Calibration {
 public:
  Calibration();
  static Calibration build(std::vector<Observation> observations, EffectSizes effects = {});
  ~Calibration();
  Calibration(Calibration&&) noexcept;
  Calibration& operator=(Calibration&&) noexcept;

  // Nothing when no observation is of a like model (dense or mixture) on the same kernels, or none
  // at all is of the same chip or backend: then the answer is "unknown".
  std::optional<Correction> correct(const KernelKey& key) const;
  // Without that rule: what a guess would have been. Only for reports about accuracy.
  Correction guess(const KernelKey& key) const;
  std::size_t size() const;

 private:
  struct State;
  std::unique_ptr<const State> state_;
};

}  // namespace hearth::plan
