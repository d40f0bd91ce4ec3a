#include "hearth/gateway/sampling_defaults.h"

namespace hearth::gateway {
namespace {

template <class T>
void take(std::optional<T>& base, const std::optional<T>& over) {
  if (over) base = over;
}

}  // namespace

SamplingChoice recommended_sampling(std::string_view format_name, bool thinking) {
  SamplingChoice out;
  if (format_name.starts_with("kimi")) {
    out.temperature = thinking ? 1.0 : 0.6;
    out.top_p = 0.95;
  } else if (format_name.starts_with("qwen")) {
    out.temperature = thinking ? 0.6 : 0.7;
    out.top_p = thinking ? 0.95 : 0.8;
    out.top_k = 20;
  } else {
    out.temperature = 0.7;
    out.top_p = 0.95;
  }
  return out;
}

SamplingChoice overlay(SamplingChoice base, const SamplingChoice& over) {
  take(base.temperature, over.temperature);
  take(base.top_p, over.top_p);
  take(base.min_p, over.min_p);
  take(base.repeat_penalty, over.repeat_penalty);
  take(base.frequency_penalty, over.frequency_penalty);
  take(base.presence_penalty, over.presence_penalty);
  take(base.top_k, over.top_k);
  take(base.seed, over.seed);
  if (!over.logit_bias.empty()) base.logit_bias = over.logit_bias;
  return base;
}

engine::SamplingOptions sampling_options(const SamplingChoice& choice, std::uint32_t random_seed) {
  engine::SamplingOptions out;
  out.temperature = choice.temperature.value_or(out.temperature);
  out.top_p = choice.top_p.value_or(out.top_p);
  out.min_p = choice.min_p.value_or(out.min_p);
  out.top_k = choice.top_k.value_or(out.top_k);
  out.repeat_penalty = choice.repeat_penalty.value_or(out.repeat_penalty);
  out.frequency_penalty = choice.frequency_penalty.value_or(out.frequency_penalty);
  out.presence_penalty = choice.presence_penalty.value_or(out.presence_penalty);
  out.logit_bias = choice.logit_bias;
  out.seed = choice.seed.value_or(random_seed);
  return out;
}

}  // namespace hearth::gateway
