#pragma once
// How models want to be sampled when the client does not say. Pure.

#include <string_view>

#include "hearth/engine/sampling.h"
#include "hearth/gateway/api.h"

namespace hearth::gateway {

// By format name (chat/format.h). Kimi: temperature 1.0 with thinking and 0.6 without, top_p 0.95
// (Moonshot, Kimi vendor verifier). Qwen3: 0.6 / 0.95 / top_k 20 with thinking, 0.7 / 0.8 / 20
// without (its model card). Others: temperature 0.7, top_p 0.95.
SamplingChoice recommended_sampling(std::string_view format_name, bool thinking);

// What is set in `over` wins.
SamplingChoice overlay(SamplingChoice base, const SamplingChoice& over);

// Absent fields are off; the seed as given or `random_seed`.
engine::SamplingOptions sampling_options(const SamplingChoice& choice, std::uint32_t random_seed);

}  // namespace hearth::gateway
