#include "hearth/gateway/answering.h"

#include <fmt/format.h>

#include <utility>

#include "hearth/base/log.h"
#include "hearth/base/unix_time.h"
#include "hearth/chat/call_ledger.h"
#include "hearth/gateway/fields.h"
#include "hearth/gateway/pass_through.h"
#include "hearth/gateway/repeat_key.h"
#include "hearth/gateway/token_count.h"
#include "hearth/net/sse.h"

namespace hearth::gateway {
namespace {

// A client that wants two samples of one prompt says so.
constexpr std::string_view no_join_header = "x-hearth-no-join";
// On every answer, so that a person sees which it is.
constexpr std::string_view label_header = "X-Hearth-Label";
constexpr std::string_view route_header_name = "X-Hearth-Route";
// Whose count of tokens it is.
constexpr std::string_view count_header = "X-Hearth-Count";

Instant now() { return std::chrono::steady_clock::now(); }

// A field for the log. What follows in a schema are the client's own names.
std::string_view shown_field(std::string_view field) {
  for (const std::string_view schema : {".parameters", ".input_schema", ".schema"}) {
    const auto at = field.find(schema);
    if (at != std::string_view::npos) field = field.substr(0, at + schema.size());
  }
  return field.empty() ? "-" : field;
}

// Calls that go round in circles are told of in the answer itself, where the user sees it, and the model
// from the next turn on: as thinking where the client takes it, else as text.
std::string warning_of(const std::string& id, const ChatRequest& request) {
  const bool text_only = request.response_format.kind == chat::ResponseFormat::Kind::text && !request.raw_prompt;
  if (!text_only || !is_in_tool_loop(request)) return {};
  const auto loop = chat::find_loop(chat::call_ledger(request.conversation));
  std::string warning = loop ? chat::loop_warning(*loop) : std::string();
  if (!warning.empty()) log_info(fmt::format("request={} loop_calls={} times={}", id, loop->names.size(), loop->times));
  return warning;
}

JobTable::Work with_warning(const std::string& id, const ChatRequest& request, JobTable::Work work) {
  const std::string warning = warning_of(id, request);
  if (warning.empty()) return work;
  const bool thinks = request.thinking.value_or(false);
  const AnswerEvent event{.kind = thinks ? AnswerEvent::Kind::thinking : AnswerEvent::Kind::text, .text = warning};
  return [event, work = std::move(work)](AnswerJob& job, const StopToken& stop) {
    job.add({event});
    work(job, stop);
  };
}

// What outlives the request, for the line in the log.
struct LoggedCall {
  std::string id, dialect;
  Instant began;
  bool stream, joined;
  seal::Label label;
};

void log_answer(const LoggedCall& call, const ResponseReport& report) {
  log_info(fmt::format(
      "request={} api={} label={} stream={} joined={} outcome={} prompt_tokens={} cached_tokens={} "
      "answer_tokens={} seconds={:.3f}",
      call.id, call.dialect, seal::label_name(call.label), call.stream, call.joined, report.outcome, report.usage.prompt_tokens,
      report.usage.cached_tokens, report.usage.answer_tokens, seconds(now() - call.began)));
}

LoggedCall logged(const AnswerCall& call) {
  return {call.id, std::string(call.dialect.name()), call.began, call.stream, call.joined, call.clearance.decision.label};
}

// The message of an error may quote a field's value; the field's name is enough here.
void log_refusal(const AnswerCall& call, const ApiError& error) {
  log_info(fmt::format("request={} api={} refused={} status={} field={}", call.id, call.dialect.name(),
                       kind_name(error.kind), call.dialect.error_status(error), shown_field(error.field)));
}

}  // namespace

ApiResult<Json> parse_body(const net::Request& request) {
  auto body = parse_json(request.body_text());
  if (!body) return refuse("", "the body is not JSON: " + body.error().message);
  if (!body->is_object()) return refuse("", "the body must be a JSON object");
  return *std::move(body);
}

net::Response Answering::answer(const Dialect& dialect, const net::Request& request) {
  AnswerCall call{.dialect = dialect, .request = request};
  auto response = try_answer(call);
  if (!response) response = refuse(call, response.error());
  if (!call.route.empty()) response->headers.set(route_header_name, call.route);
  response->headers.set(label_header, std::string(seal::label_name(call.clearance.decision.label)));
  return *std::move(response);
}

net::Response Answering::turn_away(const Dialect& dialect, const net::Request& request, const ApiError& error) {
  return refuse(AnswerCall{.dialect = dialect, .request = request}, error);
}

net::Response Answering::refuse(const AnswerCall& call, const ApiError& error) {
  const Dialect& dialect = call.dialect;
  const net::Request& request = call.request;
  if (request.stop.stop_requested()) {
    log_answer(logged(call), {.usage = {}, .outcome = "left"});  // nobody reads what follows
  } else {
    parts_.metrics.count_request(dialect.name(), dialect.error_status(error));
    log_refusal(call, error);
  }
  return replies_.refuse(dialect, error, request, call.id);
}

ApiResult<net::Response> Answering::try_answer(AnswerCall& call) {
  const Json body = TRY(parse_body(call.request));
  auto parsed = call.dialect.parse(body, /*counting=*/false);
  if (!parsed) return pass_with_images(call, body, parsed.error());
  const ChatRequest& request = *parsed;
  call.stream = request.stream;
  call.clearance = TRY(label(call, request, body));
  const auto repetition = repetition_of(call, body, request);
  std::unique_ptr<Attachment> running = repetition ? jobs_.find(*repetition) : nullptr;
  if (running) count_joined(call);
  ApiResult<Way> way = running ? Way{} : choose_way(call, request);
  if (!running && way && passes_through(call, *way)) return pass(call, request, body, *std::move(way));
  auto job = running ? std::move(running) : way ? start(call, request, repetition, *way) : std::unexpected(way.error());
  if (job) return respond(call, request, *std::move(job));
  if (way) way->entry->refused(job.error());
  if (!call.stream || !call.dialect.tells_in_stream(job.error())) {
    return std::unexpected(job.error());
  }
  return tell_in_stream(call, request, job.error());
}

ApiResult<seal::Clearance> Answering::label(const AnswerCall& call, const ChatRequest& request, const Json& body) const {
  if (parts_.options.labeller == nullptr) return seal::Clearance{};
  return label_of(*parts_.options.labeller, parts_.access, call.request, request, body);
}

std::optional<Repetition> Answering::repetition_of(const AnswerCall& call, const Json& body, const ChatRequest& request) const {
  if (call.request.headers.contains(no_join_header)) return std::nullopt;
  const std::string session = session_of_request(call.request, request);
  // Work of another label is other work: one may be answered where the other may not.
  const std::string label(seal::label_name(call.clearance.decision.label));
  return Repetition{.key = repeat_key(call.dialect.name(), parts_.access.client_name(call.request), session + "\n" + label, body),
                    .has_session = !session.empty(), .stream = call.stream};
}

ApiResult<Way> Answering::choose_way(AnswerCall& call, const ChatRequest& request) const {
  Way out;
  store::RouteRecord record;
  const Routing* routing = parts_.options.routing;
  if (routing != nullptr) {
    std::tie(out.decision, record) = routing->router.decide(
        ask_of(routing->conversation_key, parts_.access, call.request, request, call.clearance.decision.label, call.id));
  }
  out.entry = std::make_shared<RouteEntry>(routing == nullptr ? nullptr : &routing->router, std::move(record), call.began);
  call.route = route::route_header(out.decision);
  if (!out.decision.target.empty()) return out;
  ApiError nowhere{.kind = ApiError::Kind::permission, .message = out.decision.because.back()};
  out.entry->refused(nowhere);
  return std::unexpected(std::move(nowhere));
}

bool Answering::passes_through(const AnswerCall& call, const Way& way) const {
  const Routing* routing = parts_.options.routing;
  return routing != nullptr && gateway::passes_through(*routing, call.dialect.name(), way.decision.target);
}

ApiResult<net::Response> Answering::pass(AnswerCall& call, const ChatRequest& request, const Json& body, Way way) {
  const std::string target = way.decision.target;
  auto response = pass_through(*parts_.options.routing, parts_.metrics, call.request, body,
                               {.clearance = call.clearance, .target = target, .entry = std::move(way.entry),
                                .warning = warning_of(call.id, request)});
  if (!response) return response;
  parts_.metrics.count_request(call.dialect.name(), response->status);
  log_info(fmt::format("request={} api={} passed_to={} status={}", call.id, call.dialect.name(), target, response->status));
  return replies_.finish(*std::move(response), call.request, call.id);
}

// What the model here cannot read may be read where the request goes.
ApiResult<net::Response> Answering::pass_with_images(AnswerCall& call, const Json& body, const ApiError& why_not) {
  if (parts_.options.routing == nullptr || call.dialect.name() != "anthropic") return std::unexpected(why_not);
  const auto parsed = call.dialect.parse(without_images(body), /*counting=*/false);
  if (!parsed) return std::unexpected(why_not);
  call.clearance = TRY(label(call, *parsed, body));
  Way way = TRY(choose_way(call, *parsed));
  if (!passes_through(call, way)) {
    way.entry->refused(why_not);
    return std::unexpected(why_not);
  }
  return pass(call, *parsed, body, std::move(way));
}

ApiResult<std::unique_ptr<Attachment>> Answering::start(AnswerCall& call, const ChatRequest& request,
                                                        const std::optional<Repetition>& repetition,
                                                        const Way& way) {
  AnswerWork work = TRY(maker_.make(call, request, way));
  AnswerInfo info = new_info(/*handle=*/new_id());
  info.model = std::move(work.model);
  auto started = TRY(jobs_.start(repetition, std::move(info), work.prompt_tokens,
                                 with_warning(call.id, request, std::move(work.work))));
  if (started.joined) {
    count_joined(call);
    way.entry->record().outcome = "joined";
  }
  return std::move(started.attachment);
}

void Answering::count_joined(AnswerCall& call) {
  call.joined = true;
  ++parts_.metrics.requests_attached;
}

// Known for certain once the answer has begun: it may have gone on elsewhere.
void Answering::take_route(AnswerCall& call, const AnswerJob& job) {
  if (std::string route = job.route(); !route.empty()) call.route = std::move(route);
}

ApiResult<net::Response> Answering::respond(AnswerCall& call, const ChatRequest& request,
                                            std::unique_ptr<Attachment> job) {
  const ResponseTimes times{parts_.options.heartbeat, parts_.options.start_wait,
                            parts_.options.whole_answer_wait};
  if (call.stream) return stream(call, request, std::move(job), times);
  auto waited = wait_for_answer(*job, times, call.request.stop);
  take_route(call, job->job());
  const WholeAnswer answer = TRY(std::move(waited));
  net::Response response =
      net::Response::json(200, call.dialect.whole(job->job().info(), request, answer));
  job->set_delivered(AnswerJob::Delivery::whole);
  parts_.metrics.count_request(call.dialect.name(), 200);
  log_answer(logged(call), {answer.end.usage, std::string(reason_name(answer.end.reason))});
  return replies_.finish(std::move(response), call.request, call.id);
}

ApiResult<net::Response> Answering::stream(AnswerCall& call, const ChatRequest& request,
                                           std::unique_ptr<Attachment> job,
                                           const ResponseTimes& times) {
  const AnswerJob& running = job->job();  // the body keeps it
  auto writer = call.dialect.make_writer(running.info(), request);
  auto body = TRY(stream_answer(std::move(job), std::move(writer), times, call.request.stop,
                                [logged = logged(call)](const ResponseReport& report) {
                                  log_answer(logged, report);
                                }));
  take_route(call, running);
  parts_.metrics.count_request(call.dialect.name(), 200);
  return event_stream(call, std::move(body));
}

// For clients that understand an error only as an event.
net::Response Answering::tell_in_stream(const AnswerCall& call, const ChatRequest& request,
                                        const ApiError& error) {
  const auto writer = call.dialect.make_writer(new_info(/*handle=*/{}), request);
  std::string out;
  writer->begin({.prompt_tokens = error.prompt_tokens}, out);
  writer->error(error, out);
  log_refusal(call, error);
  parts_.metrics.count_request(call.dialect.name(), 200);
  return event_stream(call, std::move(out));
}

net::Response Answering::event_stream(const AnswerCall& call, net::Body body) const {
  net::Response response;
  response.body = std::move(body);
  response.headers.set("Content-Type", std::string(net::sse_content_type));
  response.headers.set("Cache-Control", "no-cache");
  response.headers.set("X-Accel-Buffering", "no");
  return replies_.finish(std::move(response), call.request, call.id);
}

net::Response Answering::count_tokens(const Dialect& dialect, const net::Request& request) {
  const std::string id = new_request_id();
  const auto count = count_tokens_of(parts_, dialect, request);
  if (!count) return replies_.refuse(dialect, count.error(), request, id);
  net::Response response = net::Response::json(200, Json::object({{"input_tokens", count->tokens}}));
  response.headers.set(count_header, count->by);
  response.headers.set(label_header, std::string(seal::label_name(count->label)));
  if (!count->route.empty()) response.headers.set(route_header_name, count->route);
  return replies_.finish(std::move(response), request, id);
}

AnswerInfo Answering::new_info(std::string handle) const {
  return {.id = new_id(), .handle = std::move(handle), .model = parts_.options.model_id,
          .created_s = unix_time_s()};
}

}  // namespace hearth::gateway
