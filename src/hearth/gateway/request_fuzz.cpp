// The first byte chooses dialect and format; what follows up to a NUL is a request's body, the rest
// is what the model says to it, markers spelled. Any body is an answer or a refusal of the client's
// making, any output an answer that keeps the rules, counted and computed prompts are the same.
#include <array>
#include <cstdint>

#include "hearth/base/check.h"
#include "hearth/base/utf8.h"
#include "hearth/gateway/answer_plan.h"
#include "tests/support/anthropic_stream.h"
#include "tests/support/chunk_stream.h"
#include "tests/support/gateway_json.h"
#include "tests/support/response_stream.h"
#include "tests/support/scripted_model.h"

namespace {

using namespace hearth;
using namespace hearth::gateway;

constexpr std::array dialects = {make_anthropic_messages, make_openai_chat, make_openai_completions,
                                 make_openai_responses};
constexpr std::array formats = {"kimi-k2.5", "qwen3", "qwen3-coder", "llama3"};
constexpr std::uint32_t window_tokens = 64 << 10;

bool is_the_clients_fault(const ApiError& error) {
  return error.kind == ApiError::Kind::invalid_request ||
         error.kind == ApiError::Kind::prompt_too_long;
}

void check_refusal(const Dialect& dialect, const ApiError& error) {
  CHECK(is_the_clients_fault(error));
  CHECK(is_valid_utf8(error.message));
  const int status = dialect.error_status(error);
  CHECK(status >= 400 && status < 500);
  CHECK(parse_json(dump_json(dialect.error_body(error, "req_1"))));
}

std::vector<std::string> complaints(const Dialect& dialect, const ChatRequest& request,
                                    std::string_view bytes) {
  const bool with_usage = request.extra.find("include_usage") != nullptr;
  if (dialect.name() == "anthropic") return test::read_anthropic_stream(bytes).complaints;
  if (dialect.name() == "openai_chat") return test::read_chat_stream(bytes, with_usage).complaints;
  if (dialect.name() == "openai_completions") {
    return test::read_completion_stream(bytes, with_usage).complaints;
  }
  return test::read_response_stream(bytes).complaints;
}

// What a reader of the job makes of it.
void check_answer(const Dialect& dialect, const ChatRequest& request, AnswerJob& job) {
  const auto view = job.wait(0, false, Deadline::never(), {});
  CHECK(view.end);
  CHECK(view.end->usage.thinking_tokens <= view.end->usage.answer_tokens);
  CHECK(view.end->usage.cached_tokens < view.end->usage.prompt_tokens);
  std::string bytes;
  const auto writer = dialect.make_writer(test::golden_info(), request);
  writer->begin(view.usage, bytes);
  WholeAnswer whole{.events = {}, .end = *view.end};
  for (const AnswerEvent& event : view.fresh) {
    writer->heartbeat(view.prompt, bytes);
    writer->event(event, bytes);
    whole.events.push_back(event);
    if (event.kind != AnswerEvent::Kind::call) continue;
    const auto arguments = parse_json(event.text);
    CHECK(arguments && arguments->is_object());
    CHECK(!event.name.empty() && event.id.starts_with(dialect.call_id_prefix()));
  }
  writer->end(*view.end, bytes);
  CHECK(complaints(dialect, request, bytes).empty());
  CHECK(parse_json(dump_json(dialect.whole(test::golden_info(), request, whole))));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::string_view body_text = input.substr(0, input.find('\0'));
  const auto body = parse_json(body_text);
  if (!body || !body->is_object()) return 0;
  const auto dialect = dialects[data[0] % dialects.size()]();
  const auto request = dialect->parse(*body, /*counting=*/false);
  if (!request) {
    check_refusal(*dialect, request.error());
    return 0;
  }

  const auto format = *chat::make_format(formats[data[0] / dialects.size() % formats.size()]);
  test::ScriptedModel model(format.get(), {.facts = {.limits = {.context_tokens = window_tokens,
                                                                .sequences = 1}}});
  PromptBuilder prompts(model, *format);
  CHECK(prompts.learn_markers({}));
  const GatewayOptions options;
  auto plan = plan_answer({model, prompts, *format, options}, *request, /*random_seed=*/1, {});
  if (!plan) {
    check_refusal(*dialect, plan.error());
    return 0;
  }
  plan->call_id_prefix = dialect->call_id_prefix();
  if (const auto counted = dialect->parse(*body, /*counting=*/true)) {
    const auto prompt = build_prompt(prompts, *counted, {});
    CHECK(prompt && prompt->tokens == plan->prompt.tokens);
  }

  std::string_view output = input.substr(body_text.size());
  if (!output.empty()) output.remove_prefix(1);
  model.script({.text = std::string(output)});
  Metrics metrics;
  AnswerJob job(test::golden_info(), static_cast<std::uint32_t>(plan->prompt.tokens.size()), {});
  job.attach();
  run_answer({model, prompts, *format, metrics, std::chrono::hours(1)}, *std::move(plan), job, {});
  check_answer(*dialect, *request, job);
  return 0;
}
