#pragma once
// Does a service answer sanely: one known prompt, one stop string, one tool call. Asks a
// upstream::Endpoint; what it told is a value, and the findings are made of that.

#include <optional>

#include "hearth/base/stop.h"
#include "hearth/check/lock.h"
#include "hearth/upstream/endpoint.h"

namespace hearth::check {

// A text with a question at its end, and what a model that was made for it must answer
// (docs/synthetic_models.md).
struct KnownAnswer {
  std::string prompt, answer;
};

struct SmokeOptions {
  std::optional<KnownAnswer> known;  // absent: any answer will do
  bool tools = true;
  Duration time_max = std::chrono::seconds(120);  // of each question
};

// What came of one question.
struct SmokeAnswer {
  bool was_asked = false;
  std::string fault;  // why there is none
  std::string text;
  chat::AnswerEnd end;
  bool usage_known = false;
  std::vector<chat::AnswerEvent> calls;
  std::vector<std::string> odd;  // what the client noticed
};

struct SmokeFacts {
  std::string name, kind, url;
  upstream::EndpointState state;
  SmokeAnswer plain, stopped, called;
  std::optional<std::string> expected;  // the known answer
  std::string stop_string;              // cut out of the plain answer
  bool must_call = false;               // it promises to where a call is required
};

SmokeFacts smoke(upstream::Endpoint& endpoint, const SmokeOptions& options, const StopToken& stop);
Findings smoke_findings(const SmokeFacts& facts);
// "endpoint.URL.build" and ".model".
Versions endpoint_versions(const SmokeFacts& facts);

}  // namespace hearth::check
