#pragma once
// GET /v1/models and GET /v1/models/{id}: one body that both the OpenAI and the Anthropic libraries
// read (fields of openai 7.57.0 and of @anthropic-ai/sdk 1.12.0). Pure functions.

#include <cstdint>
#include <string>
#include <vector>

#include "hearth/base/json.h"

namespace hearth::gateway {

// What is served: one model, alone and with each of its adapters (served_names.h).
struct ServedModel {
  std::vector<std::string> ids;
  std::uint32_t prompt_tokens_max = 0;  // the longest prompt that is taken
  std::uint32_t answer_tokens_max = 0;
  std::int64_t created_s = 0;           // since 1970
};

Json model_json(const ServedModel& model, const std::string& id);
// One entry for each id, never a second page.
Json models_list_json(const ServedModel& model);

// RFC 3339 in UTC, "2026-11-24T19:51:00Z".
std::string rfc3339_time(std::int64_t seconds);

}  // namespace hearth::gateway
