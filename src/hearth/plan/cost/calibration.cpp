#include "hearth/plan/cost/calibration.h"

#include <algorithm>
#include <cmath>

#include "hearth/base/check.h"

namespace hearth::plan {
namespace {

constexpr std::size_t evidence_max = 4;

double square(double x) { return x * x; }

double covariance(const KernelKey& a, const KernelKey& b, const EffectSizes& s) {
  const bool chip = a.chip == b.chip;
  const bool kernels = a.kernels == b.kernels;
  const bool generation = kernels && a.generation == b.generation;
  const bool model = a.architecture == b.architecture;
  double sum = square(s.common);
  if (chip) sum += square(s.chip);
  if (kernels) sum += square(s.kernels);
  if (generation) sum += square(s.generation);
  if (a.mixture == b.mixture) sum += square(s.model_class);
  if (model) sum += square(s.model);
  if (chip && generation) sum += square(s.chip_generation);
  if (chip && generation && model) {
    sum += square(s.pair) + square(s.attention_pair) * a.attention_share * b.attention_share;
  }
  if (a.backend == b.backend) {
    sum += square(s.attention_backend) * a.attention_share * b.attention_share;
  }
  return sum;
}

// Lower triangle of a symmetric positive definite matrix, row after row.
class Cholesky {
 public:
  explicit Cholesky(std::vector<std::vector<double>> matrix) : rows_(std::move(matrix)) {
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        double sum = rows_[i][j];
        for (std::size_t k = 0; k < j; ++k) sum -= rows_[i][k] * rows_[j][k];
        if (i == j) {
          CHECK(sum > 0);  // noise is on the diagonal
          rows_[i][i] = std::sqrt(sum);
        } else {
          rows_[i][j] = sum / rows_[j][j];
        }
      }
    }
  }
  std::vector<double> solve(std::vector<double> b) const {
    const std::size_t n = rows_.size();
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t k = 0; k < i; ++k) b[i] -= rows_[i][k] * b[k];
      b[i] /= rows_[i][i];
    }
    for (std::size_t i = n; i-- > 0;) {
      for (std::size_t k = i + 1; k < n; ++k) b[i] -= rows_[k][i] * b[k];
      b[i] /= rows_[i][i];
    }
    return b;
  }

 private:
  std::vector<std::vector<double>> rows_;
};

}  // namespace

struct Calibration::State {
  std::vector<Observation> observations;
  EffectSizes effects;
  std::optional<Cholesky> factor;
  std::vector<double> weights;  // inverse covariance times observations
};

Calibration::Calibration() : state_(std::make_unique<State>()) {}
Calibration::~Calibration() = default;
Calibration::Calibration(Calibration&&) noexcept = default;
Calibration& Calibration::operator=(Calibration&&) noexcept = default;
std::size_t Calibration::size() const { return state_->observations.size(); }

Calibration Calibration::build(std::vector<Observation> observations, EffectSizes effects) {
  auto state = std::make_unique<State>();
  state->effects = effects;
  const std::size_t n = observations.size();
  std::vector<std::vector<double>> matrix(n);
  std::vector<double> values(n);
  for (std::size_t i = 0; i < n; ++i) {
    values[i] = observations[i].log_ratio;
    for (std::size_t j = 0; j <= i; ++j) {
      matrix[i].push_back(covariance(observations[i].key, observations[j].key, effects));
    }
    matrix[i][i] += square(observations[i].own ? effects.noise_own : effects.noise);
  }
  state->observations = std::move(observations);
  state->factor.emplace(std::move(matrix));
  state->weights = state->factor->solve(values);
  Calibration out;
  out.state_ = std::move(state);
  return out;
}

Correction Calibration::guess(const KernelKey& key) const {
  const State& s = *state_;
  Correction out;
  const double prior_variance = covariance(key, key, s.effects);
  if (s.observations.empty()) {
    out.log_sd = std::sqrt(prior_variance);
    return out;
  }
  std::vector<double> k(s.observations.size());
  for (std::size_t i = 0; i < k.size(); ++i) {
    k[i] = covariance(key, s.observations[i].key, s.effects);
    out.log_mean += k[i] * s.weights[i];
  }
  const std::vector<double> gain = s.factor->solve(k);
  double explained = 0;
  for (std::size_t i = 0; i < k.size(); ++i) explained += k[i] * gain[i];
  out.log_sd = std::sqrt(std::max(0.0, prior_variance - explained) + square(s.effects.noise));
  for (std::size_t i = 0; i < k.size(); ++i) {
    out.evidence.push_back({s.observations[i].id, gain[i]});
  }
  std::ranges::stable_sort(out.evidence, [](const Evidence& a, const Evidence& b) {
    return std::abs(a.weight) > std::abs(b.weight);
  });
  if (out.evidence.size() > evidence_max) out.evidence.resize(evidence_max);
  return out;
}

std::optional<Correction> Calibration::correct(const KernelKey& key) const {
  bool like = false;
  bool near = false;
  for (const Observation& o : state_->observations) {
    like = like || (o.key.kernels == key.kernels && o.key.mixture == key.mixture);
    near = near || o.key.chip == key.chip || o.key.backend == key.backend;
  }
  if (!like || !near) return std::nullopt;
  return guess(key);
}

}  // namespace hearth::plan
