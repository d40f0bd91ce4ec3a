#include "hearth/cluster/prefill_curve.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>

namespace hearth::cluster {
namespace {

constexpr std::uint32_t tokens_max = 1u << 24;
constexpr double bucket_weight_max = 16;
// How far beyond the deepest prefill seen a line may be drawn.
constexpr std::uint32_t reach_factor = 2;
constexpr std::uint32_t reach_tokens = 4'096;

std::size_t bucket_of(double depth_tokens) {
  const auto kilo = static_cast<std::uint32_t>(depth_tokens / 1'024);
  return std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(kilo)),
                               depth_bucket_count - 1);
}

struct Point {
  double depth, token_s, spread_share, weight;
};

struct Line {
  double at_zero = 0, slope = 0;
};

// Weighted least squares; neither a token nor depth can cost less than nothing.
Line fit(const std::vector<Point>& points) {
  double w = 0, wx = 0, wy = 0, wxx = 0, wxy = 0;
  for (const Point& p : points) {
    w += p.weight;
    wx += p.weight * p.depth;
    wy += p.weight * p.token_s;
    wxx += p.weight * p.depth * p.depth;
    wxy += p.weight * p.depth * p.token_s;
  }
  const double determinant = w * wxx - wx * wx;
  if (points.size() < 2 || determinant <= 1e-9 * w * wxx) return {wy / w, 0};
  const Line line{(wy * wxx - wx * wxy) / determinant, (w * wxy - wx * wy) / determinant};
  if (line.slope < 0) return {wy / w, 0};
  if (line.at_zero < 0) return {0, wxy / wxx};
  return line;
}

double spread_of(const std::vector<Point>& points, const Line& line) {
  double w = 0, squares = 0;
  for (const Point& p : points) {
    const double miss = (line.at_zero + line.slope * p.depth) / p.token_s - 1;
    w += p.weight;
    squares += p.weight * (p.spread_share * p.spread_share + miss * miss);
  }
  return std::sqrt(squares / w);
}

}  // namespace

std::optional<Estimate> PrefillCurve::seconds(std::uint32_t new_tokens,
                                              std::uint32_t depth_tokens) const {
  if (std::uint64_t{new_tokens} + depth_tokens > depth_max) return {};
  const double middle = depth_tokens + new_tokens / 2.0;
  const double value = new_tokens * (token_s + depth_token_s * middle);
  return Estimate{value, value * spread_share};
}

PrefillCurve PrefillCurve::slower(const Estimate& factor) const {
  return {token_s * factor.value, depth_token_s * factor.value,
          std::hypot(spread_share, factor.spread / factor.value), depth_max};
}

void PrefillRates::observe(std::uint32_t new_tokens, std::uint32_t depth_tokens, double seconds,
                           Instant now) {
  if (new_tokens == 0 || new_tokens > tokens_max || depth_tokens > tokens_max) return;
  if (!std::isfinite(seconds) || seconds <= 0) return;
  const double middle = depth_tokens + new_tokens / 2.0;
  Bucket& bucket = buckets_[bucket_of(middle)];
  bucket.token_s.observe(seconds / new_tokens, now);
  bucket.depth_tokens.observe(middle, now);
  deepest_tokens_ = std::max(deepest_tokens_, depth_tokens + new_tokens);
}

std::optional<PrefillCurve> PrefillRates::curve(Instant now) const {
  std::vector<Point> points;
  for (const Bucket& bucket : buckets_) {
    const auto token_s = bucket.token_s.at(now);
    if (!token_s) continue;
    points.push_back({bucket.depth_tokens.mean(), token_s->value, token_s->spread / token_s->value,
                      std::min<double>(bucket.token_s.count(), bucket_weight_max)});
  }
  if (points.empty()) return {};
  const Line line = fit(points);
  return PrefillCurve{line.at_zero, line.slope, spread_of(points, line),
                      deepest_tokens_ * reach_factor + reach_tokens};
}

Instant PrefillRates::last() const {
  Instant out{};
  for (const Bucket& bucket : buckets_) {
    if (bucket.token_s.count() > 0) out = std::max(out, bucket.token_s.last());
  }
  return out;
}

Json PrefillRates::to_json(Instant now) const {
  Json buckets = Json::array();
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    if (buckets_[i].token_s.count() == 0) continue;
    buckets.push(Json::object({{"bucket", i},
                               {"token_s", buckets_[i].token_s.to_json(now)},
                               {"depth_tokens", buckets_[i].depth_tokens.to_json(now)}}));
  }
  return Json::object({{"deepest_tokens", deepest_tokens_}, {"buckets", std::move(buckets)}});
}

Result<PrefillRates> PrefillRates::from_json(const Json& json, std::string_view path, Instant now) {
  PrefillRates out;
  out.deepest_tokens_ = TRY(get<std::uint32_t>(json, "deepest_tokens", path));
  const Json* buckets = json.find("buckets");
  if (out.deepest_tokens_ > 2 * tokens_max || !buckets || !buckets->is_array() ||
      buckets->as_array().size() > depth_bucket_count) {
    return fail(Code::invalid_argument,
                fmt::format("{}: expected deepest_tokens up to {} and an array of at most {} "
                            "buckets",
                            path, 2 * tokens_max, depth_bucket_count));
  }
  for (const Json& entry : buckets->as_array()) {
    const auto index = TRY(get<std::uint32_t>(entry, "bucket", path));
    const Json* token_s = entry.find("token_s");
    const Json* depth = entry.find("depth_tokens");
    if (index >= depth_bucket_count || !token_s || !depth) {
      return fail(Code::invalid_argument,
                  fmt::format("{}: a bucket has a number below {}, token_s and depth_tokens", path,
                              depth_bucket_count));
    }
    out.buckets_[index].token_s = TRY(FadingMean::from_json(*token_s, path, now));
    out.buckets_[index].depth_tokens = TRY(FadingMean::from_json(*depth, path, now));
  }
  return out;
}

}  // namespace hearth::cluster
