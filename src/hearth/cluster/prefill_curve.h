#pragma once
// What prefill costs on one machine with one model. A token at depth d (so many tokens before it)
// takes
//
//   token_s + depth_token_s x d     seconds
//
// because attention reads everything before it; n tokens from depth d on take n times that of
// their middle. PrefillRates learns the line online: a fading mean for each range of depths, so
// that a thousand short prompts do not wash out the one long prompt, and a weighted least-squares
// line through those means.

#include <array>
#include <cstdint>
#include <optional>

#include "hearth/cluster/fading_mean.h"

namespace hearth::cluster {

inline constexpr std::size_t depth_bucket_count = 13;  // below 1,024, then doubling

struct PrefillCurve {
  double token_s = 0;
  double depth_token_s = 0;
  double spread_share = 0;        // of any prediction, one standard deviation
  std::uint32_t depth_max = 0;    // deeper was never seen, nor close to it

  // Nothing beyond depth_max: that would be a guess.
  std::optional<Estimate> seconds(std::uint32_t new_tokens, std::uint32_t depth_tokens) const;
  // Everything takes `factor` times as long.
  PrefillCurve slower(const Estimate& factor) const;
};

class PrefillRates {
 public:
  // One prefill, or one piece of it, that ran from depth_tokens to depth_tokens + new_tokens.
  void observe(std::uint32_t new_tokens, std::uint32_t depth_tokens, double seconds, Instant now);
  std::optional<PrefillCurve> curve(Instant now) const;
  Instant last() const;

  Json to_json(Instant now) const;
  static Result<PrefillRates> from_json(const Json& json, std::string_view path, Instant now);

 private:
  struct Bucket {
    FadingMean token_s;
    FadingMean depth_tokens;  // of the middles of what was seen
  };
  std::array<Bucket, depth_bucket_count> buckets_;
  std::uint32_t deepest_tokens_ = 0;
};

}  // namespace hearth::cluster
