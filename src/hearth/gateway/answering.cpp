#include "hearth/gateway/answering.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hearth/base/log.h"
#include "hearth/base/unix_time.h"
#include "hearth/chat/call_ledger.h"
#include "hearth/gateway/fields.h"
#include "hearth/gateway/pass_through.h"
#include "hearth/gateway/repeat_key.h"
#include "hearth/gateway/served_names.h"
#include "hearth/gateway/token_count.h"
#include "hearth/gateway/upstream_answer.h"
#include "hearth/net/sse.h"

namespace hearth::gateway {
namespace {

// A client that wants two samples of one prompt says so.
constexpr std::string_view no_join_header = "x-hearth-no-join";
// The KV of this prompt is to be kept, under that name (docs/serve.md).
constexpr std::string_view pin_header = "x-hearth-pin";
// On every answer, so that a person sees which it is.
constexpr std::string_view label_header = "X-Hearth-Label";
constexpr std::string_view route_header_name = "X-Hearth-Route";
// Whose count of tokens it is.
constexpr std::string_view count_header = "X-Hearth-Count";

Instant now() { return std::chrono::steady_clock::now(); }

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

}  // namespace

ApiResult<Json> parse_body(const net::Request& request) {
  auto body = parse_json(request.body_text());
  if (!body) return refuse("", "the body is not JSON: " + body.error().message);
  if (!body->is_object()) return refuse("", "the body must be a JSON object");
  return *std::move(body);
}

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
  seal::Clearance clearance;
  std::string route{};  // for X-Hearth-Route

  LoggedCall logged() const {
    return {id, std::string(dialect.name()), began, stream, joined, clearance.decision.label};
  }
  // The message of an error may quote a field's value; the field's name is enough here.
  void log_refusal(const ApiError& error) const {
    log_info(fmt::format("request={} api={} refused={} status={} field={}", id, dialect.name(),
                         kind_name(error.kind), dialect.error_status(error),
                         shown_field(error.field)));
  }
};

// Where this request goes. Without routing: to the model here.
struct Answering::Way {
  route::Decision decision{.route_class = std::string(route::other_class), .target = std::string(route::local_target)};
  store::RouteRecord record;
};

net::Response Answering::answer(const Dialect& dialect, const net::Request& request) {
  Call call{.dialect = dialect, .request = request};
  auto response = try_answer(call);
  if (!response) response = refuse(call, response.error());
  if (!call.route.empty()) response->headers.set(route_header_name, call.route);
  response->headers.set(label_header, std::string(seal::label_name(call.clearance.decision.label)));
  return *std::move(response);
}

net::Response Answering::refuse(const Call& call, const ApiError& error) {
  const Dialect& dialect = call.dialect;
  const net::Request& request = call.request;
  if (request.stop.stop_requested()) {
    log_answer(call.logged(), {.usage = {}, .outcome = "left"});  // nobody reads what follows
  } else {
    parts_.metrics.count_request(dialect.name(), dialect.error_status(error));
    call.log_refusal(error);
  }
  return replies_.refuse(dialect, error, request, call.id);
}

ApiResult<net::Response> Answering::try_answer(Call& call) {
  if (auto refused = parts_.access.check(call.request, /*needs_key=*/true)) {
    return std::unexpected(*refused);
  }
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
  if (way) record_end(*way, kind_name(job.error().kind));
  if (!call.stream || !call.dialect.tells_in_stream(job.error())) {
    return std::unexpected(job.error());
  }
  return tell_in_stream(call, request, job.error());
}

ApiResult<seal::Clearance> Answering::label(const Call& call, const ChatRequest& request, const Json& body) const {
  if (parts_.options.labeller == nullptr) return seal::Clearance{};
  return label_of(*parts_.options.labeller, parts_.access, call.request, request, body);
}

std::optional<Repetition> Answering::repetition_of(const Call& call, const Json& body, const ChatRequest& request) const {
  if (call.request.headers.contains(no_join_header)) return std::nullopt;
  const std::string session = session_of_request(call.request, request);
  // Work of another label is other work: one may be answered where the other may not.
  const std::string label(seal::label_name(call.clearance.decision.label));
  return Repetition{.key = repeat_key(call.dialect.name(), parts_.access.client_name(call.request), session + "\n" + label, body),
                    .has_session = !session.empty(), .stream = call.stream};
}

// It was decided, and then nothing of its own came of it.
void Answering::record_end(const Way& way, std::string_view outcome) const {
  if (parts_.options.routing == nullptr || way.record.request.empty()) return;
  store::RouteRecord record = way.record;
  record.outcome = outcome;
  parts_.options.routing->router.finish(record);
}

ApiResult<Answering::Way> Answering::choose_way(Call& call, const ChatRequest& request) const {
  Way out;
  if (parts_.options.routing != nullptr) {
    const Routing& routing = *parts_.options.routing;
    std::tie(out.decision, out.record) = routing.router.decide(
        ask_of(routing.conversation_key, parts_.access, call.request, request, call.clearance.decision.label, call.id));
  }
  call.route = route::route_header(out.decision);
  if (!out.decision.target.empty()) return out;
  return std::unexpected(ApiError{.kind = ApiError::Kind::permission, .message = out.decision.because.back()});
}

bool Answering::passes_through(const Call& call, const Way& way) const {
  const Routing* routing = parts_.options.routing;
  return routing != nullptr && gateway::passes_through(*routing, call.dialect.name(), way.decision.target);
}

ApiResult<net::Response> Answering::pass(Call& call, const ChatRequest& request, const Json& body, Way way) {
  const std::string target = way.decision.target;
  auto response = pass_through(*parts_.options.routing, parts_.metrics, call.request, body,
                               {.clearance = call.clearance, .target = target, .began = call.began, .record = std::move(way.record),
                                .warning = warning_of(call.id, request)});
  if (!response) return response;
  parts_.metrics.count_request(call.dialect.name(), response->status);
  log_info(fmt::format("request={} api={} passed_to={} status={}", call.id, call.dialect.name(), target, response->status));
  return replies_.finish(*std::move(response), call.request, call.id);
}

// What the model here cannot read may be read where the request goes.
ApiResult<net::Response> Answering::pass_with_images(Call& call, const Json& body, const ApiError& why_not) {
  if (parts_.options.routing == nullptr || call.dialect.name() != "anthropic") return std::unexpected(why_not);
  const auto parsed = call.dialect.parse(without_images(body), /*counting=*/false);
  if (!parsed) return std::unexpected(why_not);
  call.clearance = TRY(label(call, *parsed, body));
  Way way = TRY(choose_way(call, *parsed));
  if (!passes_through(call, way)) {
    record_end(way, kind_name(why_not.kind));
    return std::unexpected(why_not);
  }
  return pass(call, *parsed, body, std::move(way));
}

ApiResult<std::unique_ptr<Attachment>> Answering::start(Call& call, const ChatRequest& request,
                                                        const std::optional<Repetition>& repetition,
                                                        const Way& way) {
  std::string target = way.decision.target;
  std::uint32_t prompt_tokens = 0;
  AnswerInfo info = new_info(/*handle=*/new_id());
  const bool begins_here = target == route::local_target;
  auto work = begins_here ? work_here(call, request, way, info, prompt_tokens) : work_there(call, request, way, target);
  // What the model here cannot even begin may go on elsewhere, unless the request itself is wrong.
  if (!work && begins_here && !way.decision.escalate_to.empty() && work.error().kind != ApiError::Kind::invalid_request) {
    target = way.decision.escalate_to;
    work = work_there(call, request, way, target);
  }
  if (!work) return std::unexpected(std::move(work.error()));
  work = with_warning(call.id, request, *std::move(work));
  if (target != route::local_target) info.model = model_of(target, request);
  auto started = TRY(jobs_.start(repetition, std::move(info), prompt_tokens, *std::move(work)));
  if (started.joined) {
    count_joined(call);
    record_end(way, "joined");
  }
  return std::move(started.attachment);
}

ApiResult<JobTable::Work> Answering::work_here(Call& call, const ChatRequest& request, const Way& way,
                                               AnswerInfo& info, std::uint32_t& prompt_tokens) {
  const std::string& model_id = parts_.options.model_id;
  const std::string adapter = TRY(adapter_of(request.model, model_id, parts_.service.facts().adapters));
  info.model = name_with_adapter(model_id, adapter);
  const PlanParts plan_parts{parts_.service, parts_.prompts, parts_.format, parts_.options};
  AnswerPlan plan = TRY(plan_answer(plan_parts, request, system_random(), call.request.stop));
  plan.call_id_prefix = call.dialect.call_id_prefix();
  plan.generate.adapter = adapter;
  plan.generate.pin_owner = TRY(pin_owner(call.request));
  plan.generate.kv_user = kv_user_of(parts_.access.client_name(call.request), call.request);
  plan.began = call.began;
  plan.clearance = call.clearance;
  plan.generate.is_labelled = call.clearance.decision.label != seal::Label::open;
  count_prompt(plan.prompt);
  prompt_tokens = static_cast<std::uint32_t>(plan.prompt.tokens.size());
  JobTable::Work elsewhere;
  if (!way.decision.escalate_to.empty()) elsewhere = TRY(work_there(call, request, way, way.decision.escalate_to));
  return [this, plan = std::move(plan), record = way.record, model = info.model, elsewhere,
          route = call.route](AnswerJob& job, const StopToken& stop) {
    job.set_route(route);
    const RunnerParts runner{parts_.service, parts_.prompts, parts_.format, parts_.metrics,
                             jobs_.grace(), parts_.options.labeller};
    AnswerPlan own = plan;
    bool moved = false;
    if (elsewhere) {
      own.otherwise = [&](const ApiError&) {
        moved = true;
        elsewhere(job, stop);  // says so in the route itself
      };
    }
    run_answer(runner, std::move(own), job, stop);
    if (moved || parts_.options.routing == nullptr) return;
    store::RouteRecord done = record;
    done.answered_by = route::local_target;
    done.model = model;
    add_outcome(job, plan.began, done);
    parts_.options.routing->router.finish(done);
  };
}

ApiResult<JobTable::Work> Answering::work_there(const Call& call, const ChatRequest& request, const Way& way,
                                                const std::string& target) {
  const Routing& routing = *parts_.options.routing;
  const upstream::EndpointSpec* spec = routing.fleet.spec(target);
  const bool keeps_header = spec != nullptr && spec->kind == upstream::Kind::anthropic;
  ChatRequest prepared = TRY(prepare_for_upstream(request, keeps_header));
  UpstreamPlan plan{.work = seal::sort(seal::Labelled<ChatRequest>{std::move(prepared), call.clearance}),
                    .asked = request.conversation.messages,
                    .target = target,
                    .escalate_to = target == way.decision.escalate_to ? std::string() : way.decision.escalate_to,
                    .call_id_prefix = std::string(call.dialect.call_id_prefix()),
                    .random_seed = system_random(),
                    .began = call.began,
                    .record = way.record};
  const bool escalated = target == way.decision.escalate_to;
  return [this, plan = std::move(plan), route = call.route + (escalated ? "; escalated=" + target : "")](AnswerJob& job, const StopToken& stop) {
    job.set_route(route);
    run_upstream_answer({*parts_.options.routing, parts_.metrics, jobs_.grace(), parts_.options.labeller}, plan, job, stop);
  };
}

std::string Answering::model_of(const std::string& target, const ChatRequest& request) const {
  const upstream::EndpointSpec* spec = parts_.options.routing->fleet.spec(target);
  return spec == nullptr || upstream::asks_as_requests_say(*spec) ? request.model : spec->model;
}

void Answering::count_joined(Call& call) {
  call.joined = true;
  ++parts_.metrics.requests_attached;
}

// Known for certain once the answer has begun: it may have gone on elsewhere.
void Answering::take_route(Call& call, const AnswerJob& job) {
  if (std::string route = job.route(); !route.empty()) call.route = std::move(route);
}

ApiResult<net::Response> Answering::respond(Call& call, const ChatRequest& request,
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
  log_answer(call.logged(), {answer.end.usage, std::string(reason_name(answer.end.reason))});
  return replies_.finish(std::move(response), call.request, call.id);
}

ApiResult<net::Response> Answering::stream(Call& call, const ChatRequest& request,
                                           std::unique_ptr<Attachment> job,
                                           const ResponseTimes& times) {
  const AnswerJob& running = job->job();  // the body keeps it
  auto writer = call.dialect.make_writer(running.info(), request);
  auto body = TRY(stream_answer(std::move(job), std::move(writer), times, call.request.stop,
                                [logged = call.logged()](const ResponseReport& report) {
                                  log_answer(logged, report);
                                }));
  take_route(call, running);
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

void Answering::count_prompt(const Prompt& prompt) {
  parts_.metrics.turns_remembered += prompt.turns_remembered;
  parts_.metrics.turns_rendered += prompt.turns_rendered;
  parts_.metrics.tool_types_degraded += prompt.types_degraded;
}

}  // namespace hearth::gateway
