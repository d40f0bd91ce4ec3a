#pragma once
// What passes between a dialect and the gateway's core, as JSON for golden files and fuzz targets.
// The forms are described at the top of gateway/dialect_golden_test.cpp.

#include <string>
#include <vector>

#include "hearth/gateway/dialect.h"

namespace hearth::test {

// Members that have their default value are left out.
Json request_json(const gateway::ChatRequest& request);
Json error_json(const gateway::ApiError& error);

// One call of an AnswerWriter.
struct WriterStep {
  enum class Kind : std::uint8_t { begin, heartbeat, event, end, error };
  Kind kind = Kind::heartbeat;
  gateway::Usage usage{};        // begin
  gateway::PromptRead read{};    // heartbeat
  gateway::AnswerEvent event{};  // event
  gateway::AnswerEnd end{};      // end
  gateway::ApiError error{};     // error
};

WriterStep step_from_json(const Json& json);
std::vector<WriterStep> steps_from_json(const Json& json);

void apply(const WriterStep& step, gateway::AnswerWriter& writer, std::string& out);
// Neighbouring pieces of the same kind joined, as the core does it.
gateway::WholeAnswer whole_answer(const std::vector<WriterStep>& steps);

// What every golden answer is known by.
gateway::AnswerInfo golden_info();

}  // namespace hearth::test
