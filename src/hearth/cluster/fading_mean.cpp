#include "hearth/cluster/fading_mean.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hearth::cluster {
namespace {

constexpr double fade_share = 0.15;         // weight of the newest observation, once there are many
constexpr std::uint32_t clip_from_count = 4;
constexpr double clip_spreads = 4;
constexpr double clip_share_min = 0.1;      // never clips closer to the mean than this
constexpr double unproven_share = 0.3;      // spread of a single observation
constexpr std::uint32_t count_max = 1'000'000;
constexpr double value_max = 1e12;

bool is_plausible(double value) { return std::isfinite(value) && value > 0 && value < value_max; }

}  // namespace

double FadingMean::spread() const {
  if (count_ == 0) return 0;
  return std::max(std::sqrt(variance_), mean_ * unproven_share / count_);
}

void FadingMean::observe(double value, Instant now) {
  if (!is_plausible(value)) return;
  last_ = count_ == 0 ? now : std::max(last_, now);
  if (count_ == 0) {
    mean_ = value;
    count_ = 1;
    return;
  }
  if (count_ >= clip_from_count) {
    const double reach = clip_spreads * std::max(spread(), clip_share_min * mean_);
    value = std::clamp(value, std::max(mean_ - reach, mean_ / clip_spreads), mean_ + reach);
  }
  const double weight = std::max(fade_share, 1.0 / (count_ + 1));
  const double difference = value - mean_;
  mean_ += weight * difference;
  variance_ = (1 - weight) * (variance_ + weight * difference * difference);
  count_ = std::min(count_ + 1, count_max);
}

std::optional<Estimate> FadingMean::at(Instant now) const {
  if (count_ == 0 || now - last_ > rate_age_max) return {};
  return Estimate{mean_, spread()};
}

Json FadingMean::to_json(Instant now) const {
  return Json::object({{"mean", mean_},
                       {"variance", variance_},
                       {"count", count_},
                       {"age_s", std::max(0.0, seconds(now - last_))}});
}

Result<FadingMean> FadingMean::from_json(const Json& json, std::string_view path, Instant now) {
  FadingMean out;
  out.mean_ = TRY(get<double>(json, "mean", path));
  out.variance_ = TRY(get<double>(json, "variance", path));
  out.count_ = TRY(get<std::uint32_t>(json, "count", path));
  const double age_s = TRY(get<double>(json, "age_s", path));
  const bool is_sane = is_plausible(out.mean_) && std::isfinite(out.variance_) &&
                       out.variance_ >= 0 && out.variance_ < value_max * value_max &&
                       out.count_ >= 1 && out.count_ <= count_max && std::isfinite(age_s) &&
                       age_s >= 0;
  if (!is_sane) {
    return fail(Code::invalid_argument,
                fmt::format("{}: a rate has a positive mean, a variance and an age of at least 0, "
                            "and a count of 1 to {}",
                            path, count_max));
  }
  const double kept_age_s = std::min(age_s, seconds(rate_age_max) + 1);
  out.last_ = now - std::chrono::duration_cast<Duration>(std::chrono::duration<double>(kept_age_s));
  return out;
}

}  // namespace hearth::cluster
