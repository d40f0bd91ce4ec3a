#include "hearth/gateway/answering.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/base/log.h"
#include "hearth/gateway/fields.h"
#include "hearth/gateway/repeat_key.h"
#include "hearth/net/sse.h"

namespace hearth::gateway {
namespace {

// A client that wants two samples of one prompt says so.
constexpr std::string_view no_join_header = "x-hearth-no-join";
// The KV of this prompt is to be kept, under that name (docs/serve.md).
constexpr std::string_view pin_header = "x-hearth-pin";

Instant now() { return std::chrono::steady_clock::now(); }

ApiResult<Json> parse_body(const net::Request& request) {
  auto body = parse_json(request.body_text());
  if (!body) return refuse("", "the body is not JSON: " + body.error().message);
  if (!body->is_object()) return refuse("", "the body must be a JSON object");
  return *std::move(body);
}

ApiResult<std::string> pin_owner(const net::Request& request) {
  const std::string_view owner = request.headers.get(pin_header);
  if (owner.empty() || is_pin_owner(owner)) return std::string(owner);
  return refuse("", fmt::format("header {}: a name of at most {} letters, digits, '-', '_' and '.' is expected",
                                pin_header, pin_owner_bytes_max));
}

// A field for the log. What follows in a schema are the client's own names.
std::string_view shown_field(std::string_view field) {
  for (const std::string_view schema : {".parameters", ".input_schema", ".schema"}) {
    const auto at = field.find(schema);
    if (at != std::string_view::npos) field = field.substr(0, at + schema.size());
  }
  return field.empty() ? "-" : field;
}

// What outlives the request, for the line in the log.
struct LoggedCall {
  std::string id, dialect;
  Instant began;
  bool stream, joined;
};

void log_answer(const LoggedCall& call, const ResponseReport& report) {
  log_info(fmt::format(
      "request={} api={} stream={} joined={} outcome={} prompt_tokens={} cached_tokens={} "
      "answer_tokens={} seconds={:.3f}",
      call.id, call.dialect, call.stream, call.joined, report.outcome, report.usage.prompt_tokens,
      report.usage.cached_tokens, report.usage.answer_tokens, seconds(now() - call.began)));
}

}  // namespace

bool is_pin_owner(std::string_view name) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  return !name.empty() && name.size() <= pin_owner_bytes_max && std::ranges::all_of(name, is_plain);
}

struct Answering::Call {
  const Dialect& dialect;
  const net::Request& request;
  std::string id = new_request_id();
  Instant began = now();
  bool stream = false;
  bool joined = false;

  LoggedCall logged() const { return {id, std::string(dialect.name()), began, stream, joined}; }
  // The message of an error may quote a field's value; the field's name is enough here.
  void log_refusal(const ApiError& error) const {
    log_info(fmt::format("request={} api={} refused={} status={} field={}", id, dialect.name(),
                         kind_name(error.kind), dialect.error_status(error),
                         shown_field(error.field)));
  }
};

net::Response Answering::answer(const Dialect& dialect, const net::Request& request) {
  Call call{.dialect = dialect, .request = request};
  auto response = try_answer(call);
  if (response) return *std::move(response);
  if (request.stop.stop_requested()) {
    log_answer(call.logged(), {.usage = {}, .outcome = "left"});  // nobody reads what follows
  } else {
    parts_.metrics.count_request(dialect.name(), dialect.error_status(response.error()));
    call.log_refusal(response.error());
  }
  return replies_.refuse(dialect, response.error(), request, call.id);
}

ApiResult<net::Response> Answering::try_answer(Call& call) {
  if (auto refused = parts_.access.check(call.request, /*needs_key=*/true)) {
    return std::unexpected(*refused);
  }
  const Json body = TRY(parse_body(call.request));
  ChatRequest request = TRY(call.dialect.parse(body, /*counting=*/false));
  call.stream = request.stream;
  auto job = find_or_start(call, body, request);
  if (job) return respond(call, request, *std::move(job));
  if (!call.stream || !call.dialect.tells_in_stream(job.error())) {
    return std::unexpected(job.error());
  }
  return tell_in_stream(call, request, job.error());
}

ApiResult<std::unique_ptr<Attachment>> Answering::find_or_start(Call& call, const Json& body,
                                                                const ChatRequest& request) {
  const std::string session = session_of(call.request) + request.session_key;
  std::optional<Repetition> repetition;
  if (!call.request.headers.contains(no_join_header)) {
    repetition = {.key = repeat_key(call.dialect.name(), parts_.access.client_name(call.request),
                                    session, body),
                  .has_session = !session.empty(), .stream = call.stream};
    if (auto running = jobs_.find(*repetition)) {
      count_joined(call);
      return running;
    }
  }
  const PlanParts plan_parts{parts_.service, parts_.prompts, parts_.format, parts_.options};
  AnswerPlan plan = TRY(plan_answer(plan_parts, request, system_random(), call.request.stop));
  plan.call_id_prefix = call.dialect.call_id_prefix();
  plan.generate.pin_owner = TRY(pin_owner(call.request));
  plan.began = call.began;
  count_prompt(plan.prompt);
  const auto prompt_tokens = static_cast<std::uint32_t>(plan.prompt.tokens.size());
  const auto work = [this, plan = std::move(plan)](AnswerJob& job, const StopToken& stop) {
    const RunnerParts runner{parts_.service, parts_.prompts, parts_.format, parts_.metrics,
                             jobs_.grace()};
    run_answer(runner, plan, job, stop);
  };
  auto started = TRY(jobs_.start(repetition, new_info(/*handle=*/new_id()), prompt_tokens, work));
  if (started.joined) count_joined(call);
  return std::move(started.attachment);
}

void Answering::count_joined(Call& call) {
  call.joined = true;
  ++parts_.metrics.requests_attached;
}

ApiResult<net::Response> Answering::respond(const Call& call, const ChatRequest& request,
                                            std::unique_ptr<Attachment> job) {
  const ResponseTimes times{parts_.options.heartbeat, parts_.options.start_wait,
                            parts_.options.whole_answer_wait};
  if (call.stream) return stream(call, request, std::move(job), times);
  const WholeAnswer answer = TRY(wait_for_answer(*job, times, call.request.stop));
  net::Response response =
      net::Response::json(200, call.dialect.whole(job->job().info(), request, answer));
  job->set_delivered(AnswerJob::Delivery::whole);
  parts_.metrics.count_request(call.dialect.name(), 200);
  log_answer(call.logged(), {answer.end.usage, std::string(reason_name(answer.end.reason))});
  return replies_.finish(std::move(response), call.request, call.id);
}

ApiResult<net::Response> Answering::stream(const Call& call, const ChatRequest& request,
                                           std::unique_ptr<Attachment> job,
                                           const ResponseTimes& times) {
  auto writer = call.dialect.make_writer(job->job().info(), request);
  auto body = TRY(stream_answer(std::move(job), std::move(writer), times, call.request.stop,
                                [logged = call.logged()](const ResponseReport& report) {
                                  log_answer(logged, report);
                                }));
  parts_.metrics.count_request(call.dialect.name(), 200);
  return event_stream(call, std::move(body));
}

// For clients that understand an error only as an event.
net::Response Answering::tell_in_stream(const Call& call, const ChatRequest& request,
                                        const ApiError& error) {
  const auto writer = call.dialect.make_writer(new_info(/*handle=*/{}), request);
  std::string out;
  writer->begin({.prompt_tokens = error.prompt_tokens}, out);
  writer->error(error, out);
  call.log_refusal(error);
  parts_.metrics.count_request(call.dialect.name(), 200);
  return event_stream(call, std::move(out));
}

net::Response Answering::event_stream(const Call& call, net::Body body) const {
  net::Response response;
  response.body = std::move(body);
  response.headers.set("Content-Type", std::string(net::sse_content_type));
  response.headers.set("Cache-Control", "no-cache");
  response.headers.set("X-Accel-Buffering", "no");
  return replies_.finish(std::move(response), call.request, call.id);
}

net::Response Answering::count_tokens(const Dialect& dialect, const net::Request& request) {
  const std::string id = new_request_id();
  const auto count = [&]() -> ApiResult<std::size_t> {
    if (auto refused = parts_.access.check(request, /*needs_key=*/true)) {
      return std::unexpected(*refused);
    }
    const Json body = TRY(parse_body(request));
    const ChatRequest parsed = TRY(dialect.parse(body, /*counting=*/true));
    const Prompt prompt = TRY(build_prompt(parts_.prompts, parsed, request.stop));
    return prompt.tokens.size();
  }();
  if (!count) return replies_.refuse(dialect, count.error(), request, id);
  return replies_.finish(net::Response::json(200, Json::object({{"input_tokens", *count}})),
                         request, id);
}

AnswerInfo Answering::new_info(std::string handle) const {
  return {.id = new_id(), .handle = std::move(handle), .model = parts_.options.model_id,
          .created_s = unix_time_s()};
}

void Answering::count_prompt(const Prompt& prompt) {
  parts_.metrics.turns_remembered += prompt.turns_remembered;
  parts_.metrics.turns_rendered += prompt.turns_rendered;
  parts_.metrics.tool_types_degraded += prompt.types_degraded;
}

}  // namespace hearth::gateway
