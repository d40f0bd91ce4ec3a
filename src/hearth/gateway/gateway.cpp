#include "hearth/gateway/gateway.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <random>
#include <utility>

#include "hearth/base/log.h"
#include "hearth/base/process_memory.h"
#include "hearth/chat/ids.h"
#include "hearth/gateway/answer_plan.h"
#include "hearth/gateway/answer_response.h"
#include "hearth/gateway/models_list.h"
#include "hearth/gateway/repeat_key.h"
#include "hearth/net/http_error.h"
#include "hearth/net/sse.h"

namespace hearth::gateway {
namespace {

// A client that wants two samples of one prompt says so.
constexpr std::string_view no_join_header = "x-hearth-no-join";

Instant now() { return std::chrono::steady_clock::now(); }

std::int64_t unix_time_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch()).count();
}

std::uint64_t system_random() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

// Which of our error kinds a status of the server itself means.
ApiError::Kind kind_of_status(int status) {
  using Kind = ApiError::Kind;
  switch (status) {
    case 401: return Kind::authentication;
    case 403: return Kind::permission;
    case 404: return Kind::not_found;
    case 413: return Kind::too_large;
    case 503: return Kind::overloaded;
    case 408:
    case 504: return Kind::timed_out;
    default: return status >= 500 ? Kind::internal : Kind::invalid_request;
  }
}

// Time cures these; clients should not repeat the others.
bool is_worth_repeating(ApiError::Kind kind) {
  using Kind = ApiError::Kind;
  return kind == Kind::overloaded || kind == Kind::rate_limit || kind == Kind::timed_out ||
         kind == Kind::internal;
}

class GatewayService final : public Gateway {
 public:
  GatewayService(engine::ModelService& service, std::unique_ptr<chat::Format> format,
                 GatewayOptions options)
      : service_(service), format_(std::move(format)), options_(std::move(options)),
        access_(options_.access), prompts_(service_, *format_),
        served_{.ids = {options_.model_id},
                .prompt_tokens_max = prompt_tokens_max(service_.facts().limits, options_),
                .answer_tokens_max = service_.facts().limits.context_tokens,
                .created_s = unix_time_s()},
        jobs_(options_.jobs) {}

  Result<> learn(const StopToken& stop) { return prompts_.learn_markers(stop); }
  const Metrics& metrics() const override { return metrics_; }
  void set_connection_count(std::function<std::size_t()> count) override {
    connection_count_ = std::move(count);
  }

  net::Router routes() override {
    net::Router router;
    const net::RouteOptions big{.body_bytes_max = options_.body_bytes_max};
    const auto speak = [&](std::string_view path, const Dialect& dialect) {
      router.add("POST", path, [this, &dialect](net::Request& request, const net::PathParams&)
                     -> Result<net::Response> { return answer(dialect, request); }, big);
    };
    speak("/v1/messages", *messages_);
    speak("/v1/chat/completions", *chat_);
    speak("/v1/completions", *completions_);
    speak("/v1/responses", *responses_);
    router.add("POST", "/v1/messages/count_tokens",
               [this](net::Request& r, const net::PathParams&) -> Result<net::Response> {
                 return count_tokens(r);
               }, big);
    router.add("GET", "/v1/models", [this](net::Request& r, const net::PathParams&)
                   -> Result<net::Response> {
      return guarded(*chat_, r, [&] { return net::Response::json(200, models_list_json(served_)); });
    });
    // Names may hold slashes.
    router.add("GET", "/v1/models/{id*}", [this](net::Request& r, const net::PathParams& p)
                   -> Result<net::Response> {
      return guarded(*chat_, r, [&] { return model(r, p["id"]); });
    });
    router.add("GET", "/metrics", [this](net::Request& r, const net::PathParams&)
                   -> Result<net::Response> {
      return guarded(*chat_, r, [&] {
        return net::Response::text(200, metrics_text(), "text/plain; version=0.0.4; charset=utf-8");
      });
    });
    router.add("GET", "/health", [this](net::Request& r, const net::PathParams&)
                   -> Result<net::Response> { return health(r); });
    router.add("OPTIONS", "/{rest*}", [this](net::Request& r, const net::PathParams&)
                   -> Result<net::Response> { return preflight(r); });
    return router;
  }

  net::HttpServerOptions server_options() const override {
    net::HttpServerOptions out;
    out.render_error = [this](const net::Request& request, int status, const Error& error) {
      const ApiError shown{.kind = kind_of_status(status), .message = error.message};
      net::Response response = refusal(dialect_of(request.path), shown, new_request_id());
      response.status = status;
      return response;
    };
    return out;
  }

 private:
  // --- answers

  struct Call {
    const Dialect& dialect;
    const net::Request& request;
    std::string id = new_request_id();
    Instant began = now();
    bool stream = false;
    bool joined = false;
  };

  net::Response answer(const Dialect& dialect, const net::Request& request) {
    Call call{.dialect = dialect, .request = request};
    auto response = try_answer(call);
    if (response) return *std::move(response);
    metrics_.count_request(dialect.name(), dialect.error_status(response.error()));
    log_refusal(call, response.error());
    return with_cors(refusal(dialect, response.error(), call.id), request);
  }

  ApiResult<net::Response> try_answer(Call& call) {
    if (auto refused = access_.check(call.request, /*needs_key=*/true)) return std::unexpected(*refused);
    const Json body = TRY(parse_body(call.request));
    ChatRequest request = TRY(call.dialect.parse(body, /*counting=*/false));
    call.stream = request.stream;
    auto job = find_or_start(call, body, request);
    if (!job) {
      if (!call.stream || !call.dialect.tells_in_stream(job.error())) return std::unexpected(job.error());
      return told_in_stream(call, request, job.error());
    }
    return respond(call, request, *std::move(job));
  }

  ApiResult<Json> parse_body(const net::Request& request) const {
    auto body = parse_json(request.body_text());
    if (!body) {
      return std::unexpected(ApiError{.kind = ApiError::Kind::invalid_request,
                                      .message = "the body is not JSON: " + body.error().message});
    }
    if (!body->is_object()) {
      return std::unexpected(ApiError{.kind = ApiError::Kind::invalid_request,
                                      .message = "the body must be a JSON object"});
    }
    return *std::move(body);
  }

  ApiResult<std::unique_ptr<Attachment>> find_or_start(Call& call, const Json& body,
                                                       const ChatRequest& request) {
    const std::string session = session_of(call.request) + request.session_key;
    std::optional<Digest256> key;
    if (!call.request.headers.contains(no_join_header)) {
      key = repeat_key(call.dialect.name(), access_.client_name(call.request), session, body);
      if (auto running = jobs_.find(*key, !session.empty())) {
        call.joined = true;
        ++metrics_.requests_attached;
        return running;
      }
    }
    const PlanParts parts{service_, prompts_, *format_, options_};
    AnswerPlan plan = TRY(plan_answer(parts, request, system_random(), call.request.stop));
    plan.call_id_prefix = call.dialect.call_id_prefix();
    plan.began = call.began;
    count_prompt(plan.prompt);
    const AnswerInfo info{.id = new_id(), .handle = new_id(), .model = options_.model_id,
                          .created_s = unix_time_s()};
    const auto prompt_tokens = static_cast<std::uint32_t>(plan.prompt.tokens.size());
    return jobs_.start(key, info, prompt_tokens,
                       [this, plan = std::move(plan)](AnswerJob& job, const StopToken& stop) {
                         const RunnerParts runner{service_, prompts_, *format_, metrics_, jobs_.grace()};
                         run_answer(runner, plan, job, stop);
                       });
  }

  ApiResult<net::Response> respond(Call& call, const ChatRequest& request,
                                   std::unique_ptr<Attachment> job) {
    const ResponseTimes times{options_.heartbeat, options_.start_wait, options_.whole_answer_wait};
    const AnswerInfo& info = job->job().info();
    if (call.stream) {
      auto writer = call.dialect.make_writer(info, request);
      auto body = TRY(stream_answer(std::move(job), std::move(writer), times, call.request.stop,
                                    [this, call = LoggedCall(call)](const ResponseReport& report) {
                                      log_answer(call, report);
                                    }));
      metrics_.count_request(call.dialect.name(), 200);
      return stream_response(call, std::move(body));
    }
    const WholeAnswer answer = TRY(wait_for_answer(*job, times, call.request.stop));
    net::Response response = net::Response::json(200, call.dialect.whole(info, request, answer));
    job->set_delivered();
    metrics_.count_request(call.dialect.name(), 200);
    log_answer(LoggedCall(call), {answer.end.usage, std::string(reason_name(answer.end.reason))});
    return with_cors(with_id(std::move(response), call.id), call.request);
  }

  net::Response stream_response(const Call& call, std::unique_ptr<net::BodySource> body) const {
    net::Response response =
        net::Response::stream(std::move(body), std::string(net::sse_content_type));
    response.headers.set("Cache-Control", "no-cache");
    response.headers.set("X-Accel-Buffering", "no");
    return with_cors(with_id(std::move(response), call.id), call.request);
  }

  // For clients that understand an error only as an event.
  net::Response told_in_stream(const Call& call, const ChatRequest& request, const ApiError& error) {
    const AnswerInfo info{.id = new_id(), .handle = {}, .model = options_.model_id,
                          .created_s = unix_time_s()};
    const auto writer = call.dialect.make_writer(info, request);
    std::string out;
    writer->begin({.prompt_tokens = error.prompt_tokens}, out);
    writer->error(error, out);
    log_refusal(call, error);
    metrics_.count_request(call.dialect.name(), 200);
    return with_cors(with_id(net::Response::text(200, std::move(out), std::string(net::sse_content_type)),
                             call.id), call.request);
  }

  net::Response count_tokens(const net::Request& request) {
    const std::string id = new_request_id();
    const auto count = [&]() -> ApiResult<std::size_t> {
      if (auto refused = access_.check(request, /*needs_key=*/true)) return std::unexpected(*refused);
      const Json body = TRY(parse_body(request));
      const ChatRequest parsed = TRY(messages_->parse(body, /*counting=*/true));
      const Prompt prompt = TRY(prompts_.build(parsed, request.stop));
      return prompt.tokens.size();
    }();
    if (!count) return with_cors(refusal(*messages_, count.error(), id), request);
    return with_cors(with_id(net::Response::json(200, Json::object({{"input_tokens", *count}})), id),
                     request);
  }

  // --- the rest

  template <class Make>
  net::Response guarded(const Dialect& dialect, const net::Request& request, Make make) const {
    const std::string id = new_request_id();
    if (auto refused = access_.check(request, /*needs_key=*/true)) {
      return with_cors(refusal(dialect, *refused, id), request);
    }
    return with_cors(with_id(make(), id), request);
  }

  net::Response model(const net::Request&, const std::string& id) const {
    for (const std::string& served : served_.ids) {
      if (served == id) return net::Response::json(200, model_json(served_, id));
    }
    return refusal(*chat_, {.kind = ApiError::Kind::not_found,
                            .message = "no model of that name is served; see /v1/models"},
                   new_request_id());
  }

  net::Response health(const net::Request& request) const {
    if (auto refused = access_.check(request, /*needs_key=*/false)) {
      return refusal(*chat_, *refused, new_request_id());
    }
    const bool ready = service_.is_ready();
    return with_cors(net::Response::json(ready ? 200 : 503,
                                         Json::object({{"status", ready ? "ok" : "loading"}})), request);
  }

  net::Response preflight(const net::Request& request) const {
    if (auto refused = access_.check(request, /*needs_key=*/false)) {
      return refusal(*chat_, *refused, new_request_id());
    }
    net::Response response = with_cors(net::Response::empty(), request);
    response.headers.set("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    response.headers.set("Access-Control-Allow-Headers",
                         std::string(request.headers.get("access-control-request-headers", "*")));
    response.headers.set("Access-Control-Max-Age", "600");
    return response;
  }

  std::string metrics_text() const {
    return metrics_.prometheus({.jobs = jobs_.jobs(),
                                .connections = connection_count_ ? connection_count_() : 0,
                                .model_ready = service_.is_ready(),
                                .resident_bytes = resident_bytes()});
  }

  const Dialect& dialect_of(std::string_view path) const {
    if (path.starts_with("/v1/messages")) return *messages_;
    if (path.starts_with("/v1/responses")) return *responses_;
    return *chat_;
  }

  net::Response refusal(const Dialect& dialect, const ApiError& error, const std::string& id) const {
    net::Response response =
        net::Response::json(dialect.error_status(error), dialect.error_body(error, id));
    if (!is_worth_repeating(error.kind)) response.headers.set("x-should-retry", "false");
    if (error.retry_after) {
      const auto whole_s = std::max<std::int64_t>(1, static_cast<std::int64_t>(seconds(*error.retry_after)));
      response.headers.set("Retry-After", std::to_string(whole_s));
    }
    return with_id(std::move(response), id);
  }

  static net::Response with_id(net::Response response, const std::string& id) {
    response.headers.set("request-id", id);
    response.headers.set("x-request-id", id);
    return response;
  }

  net::Response with_cors(net::Response response, const net::Request& request) const {
    const std::string origin = access_.cors_origin(request);
    if (origin.empty()) return response;
    response.headers.set("Access-Control-Allow-Origin", origin);
    response.headers.set("Vary", "Origin");
    return response;
  }

  static std::string new_id() {
    Random random(system_random());
    return chat::random_outward_id("", random);
  }
  static std::string new_request_id() { return "req_" + new_id(); }

  void count_prompt(const Prompt& prompt) {
    metrics_.turns_remembered += prompt.turns_remembered;
    metrics_.turns_rendered += prompt.turns_rendered;
    metrics_.tool_types_degraded += prompt.types_degraded;
  }

  // What outlives the request, for the line in the log.
  struct LoggedCall {
    explicit LoggedCall(const Call& call)
        : id(call.id), dialect(call.dialect.name()), began(call.began), stream(call.stream),
          joined(call.joined) {}
    std::string id, dialect;
    Instant began;
    bool stream, joined;
  };

  static void log_answer(const LoggedCall& call, const ResponseReport& report) {
    log_info(fmt::format(
        "request={} api={} stream={} joined={} outcome={} prompt_tokens={} cached_tokens={} "
        "answer_tokens={} seconds={:.3f}",
        call.id, call.dialect, call.stream, call.joined, report.outcome, report.usage.prompt_tokens,
        report.usage.cached_tokens, report.usage.answer_tokens, seconds(now() - call.began)));
  }

  // The message of an error may quote a field's value; the field's name is enough here.
  static void log_refusal(const Call& call, const ApiError& error) {
    log_info(fmt::format("request={} api={} refused status={} field={}", call.id, call.dialect.name(),
                         call.dialect.error_status(error), error.field.empty() ? "-" : error.field));
  }

  engine::ModelService& service_;
  const std::unique_ptr<chat::Format> format_;
  const GatewayOptions options_;
  const Access access_;
  PromptBuilder prompts_;
  const ServedModel served_;
  Metrics metrics_;
  std::function<std::size_t()> connection_count_;
  const std::unique_ptr<Dialect> messages_ = make_anthropic_messages();
  const std::unique_ptr<Dialect> chat_ = make_openai_chat();
  const std::unique_ptr<Dialect> completions_ = make_openai_completions();
  const std::unique_ptr<Dialect> responses_ = make_openai_responses();
  JobTable jobs_;  // last: its threads use all of the above
};

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::create(engine::ModelService& service,
                                                 std::unique_ptr<chat::Format> format,
                                                 GatewayOptions options, const StopToken& stop) {
  auto gateway = std::make_unique<GatewayService>(service, std::move(format), std::move(options));
  TRY(gateway->learn(stop));
  return gateway;
}

}  // namespace hearth::gateway
