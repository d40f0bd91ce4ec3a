#pragma once
// What the sampler must hold the model to: tool calls that match their schemas, answers that match
// response_format. Grammar text, and when it begins to apply. Pure.

#include <optional>

#include "hearth/chat/format.h"

namespace hearth::chat {

struct ConstraintRequest {
  std::vector<Tool> tools;
  ToolChoice choice;
  ResponseFormat response;
  std::size_t calls_before = 0;  // calls that the conversation holds already
  bool thinking = false;         // RenderOptions::thinking
  // Ids of markers that are single tokens; without it markers are spelled out.
  GbnfBuilder::TokenId token_id;
};

struct Constraint {
  std::string grammar;  // GBNF; the start rule is "root"
  // Lazy: it applies from the first trigger on, which is part of what it describes; until then the
  // model is free. Otherwise it applies from the first token of the answer.
  bool lazy = false;
  std::vector<std::int32_t> trigger_tokens;
  std::vector<std::string> trigger_patterns;  // the grammar starts at their first group
};

// nullopt: nothing to enforce. Errors name the path of what is wrong (Tool::parameters_path and on).
// A forced call or a JSON answer of a thinking model is enforced after its thinking block.
Result<std::optional<Constraint>> make_constraint(const Format& format,
                                                  const ConstraintRequest& request);

}  // namespace hearth::chat
