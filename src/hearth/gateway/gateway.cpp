#include "hearth/gateway/gateway.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "hearth/base/check.h"
#include "hearth/base/guarded.h"
#include "hearth/base/log.h"
#include "hearth/base/process_memory.h"
#include "hearth/base/unix_time.h"
#include "hearth/gateway/answering.h"
#include "hearth/gateway/body_room.h"
#include "hearth/gateway/models_list.h"
#include "hearth/gateway/repeat_key.h"
#include "hearth/gateway/served_names.h"

namespace hearth::gateway {
namespace {

constexpr Duration forget_wait = std::chrono::seconds(30);
constexpr Duration no_room_retry_after = std::chrono::seconds(5);
// Of requests that need no body: all connections at once, of whoever, leave room for those that do.
constexpr std::uint64_t needless_body_bytes_max = 64u << 10;

std::vector<std::string> served_ids(const GatewayOptions& options, std::span<const std::string> adapters) {
  std::vector<std::string> out;
  if (options.has_model) out = served_names(options.model_id, adapters);
  out.insert(out.end(), options.other_models.begin(), options.other_models.end());
  return out;
}

const char* stage_name(AnswerJob::Course::Stage stage) {
  switch (stage) {
    case AnswerJob::Course::Stage::waiting: return "waiting";
    case AnswerJob::Course::Stage::reading: return "reading";
    case AnswerJob::Course::Stage::writing: break;
  }
  return "writing";
}

class GatewayService final : public Gateway {
 public:
  GatewayService(engine::ModelService& service, std::unique_ptr<chat::Format> format,
                 GatewayOptions options)
      : service_(service), format_(std::move(format)), options_(std::move(options)),
        access_(options_.access), bodies_(std::max(options_.bodies_bytes_max, options_.body_bytes_max)),
        replies_(access_), prompts_(service_, *format_),
        served_{.ids = served_ids(options_, service_.facts().adapters),
                .prompt_tokens_max = prompt_tokens_max(service_.facts().limits, options_),
                .answer_tokens_max = service_.facts().limits.context_tokens,
                .created_s = unix_time_s()},
        answering_({service_, *format_, options_, access_, prompts_, metrics_}) {}

  Result<> learn(const StopToken& stop) {
    if (!options_.has_model) return {};
    TRY(prompts_.learn_markers(stop));
    if (options_.turns_file.empty()) return {};
    if (const auto kept = prompts_.keep_turns(options_.turns_file); !kept) {
      log_warning("turns are not kept over a restart: " + kept.error().message);
    }
    return {};
  }
  const Metrics& metrics() const override { return metrics_; }
  void end_answers() override { answering_.end_answers(); }
  Json answers() const override {
    Json out = Json::array();
    const Instant now = std::chrono::steady_clock::now();
    for (const AnswerJob::Course& course : answering_.courses()) {
      out.push(Json::object({{"stage", stage_name(course.stage)}, {"prompt_tokens", course.prompt_tokens},
                             {"read_tokens", course.read_tokens}, {"seconds", seconds(now - course.began)}}));
    }
    return out;
  }
  void set_connection_count(std::function<std::size_t()> count) override {
    connection_count_.with([&](auto& known) { known = std::move(count); });
  }

  net::Router routes() override {
    net::Router router;
    add_answers(router);
    add(router, "GET", "/v1/models", [this](const net::Request&, const net::PathParams&) {
      return net::Response::json(200, models_list_json(served_));
    });
    // Names may hold slashes.
    add(router, "GET", "/v1/models/{id*}", [this](const net::Request& request, const net::PathParams& path) {
      return model(request, path["id"]);
    });
    add(router, "DELETE", "/v1/hearth/pins/{owner}", [this](const net::Request&, const net::PathParams& path) {
      return unpin(path["owner"]);
    });
    add(router, "DELETE", "/v1/hearth/session", [this](const net::Request& request, const net::PathParams&) {
      return forget(request);
    });
    add(router, "GET", "/metrics", [this](const net::Request&, const net::PathParams&) {
      return net::Response::text(200, metrics_text(), "text/plain; version=0.0.4; charset=utf-8");
    });
    add(router, "GET", "/health", [this](const net::Request&, const net::PathParams&) {
      return health();
    }, /*needs_key=*/false);
    add(router, "OPTIONS", "/{rest*}", [](const net::Request& request, const net::PathParams&) {
      return preflight(request);
    }, /*needs_key=*/false);
    return router;
  }

  net::HttpServerOptions server_options() const override {
    net::HttpServerOptions out;
    out.render_error = [this](const net::Request& request, int status, const Error& error) {
      return server_error(request, status, error);
    };
    return out;
  }

 private:
  using Refuse = std::function<net::Response(const net::Request&, const ApiError&)>;

  // Asks the head alone: not a byte of a body is read of who may not ask, or for which there is no room.
  net::RouteOptions entrance(bool needs_key, std::uint64_t body_bytes_max, Refuse refuse) {
    const auto admit = [this, needs_key, body_bytes_max, refuse = std::move(refuse)](
                           const net::Request& request, std::uint64_t body_bytes,
                           const net::PathParams&) -> Result<net::Admitted> {
      const auto away = [&](const ApiError& error) { return net::Admitted(net::TurnedAway{refuse(request, error)}); };
      if (const auto refused = access_.check(request, needs_key)) return away(*refused);
      // The server refuses a longer one.
      auto place = bodies_.take(body_bytes > body_bytes_max ? 0 : body_bytes);
      if (place == nullptr) {
        return away({.kind = ApiError::Kind::overloaded,
                     .message = "other requests take all the room there is for bodies; try again later",
                     .retry_after = no_room_retry_after});
      }
      return net::Admitted(std::shared_ptr<void>(std::move(place)));
    };
    return {.body_bytes_max = body_bytes_max, .admit = admit, .admits_chunked = true};
  }

  template <class Handle>
  static void add_behind(net::RouteOptions options, net::Router& router, std::string method, std::string_view path,
                         Handle handle) {
    const auto enter = [handle](net::Request& request, const net::PathParams& found) -> Result<net::Response> {
      CHECK(request.admission != nullptr);
      // A body whose length was not told has the room of the largest until here.
      std::static_pointer_cast<BodyRoom::Place>(request.admission)->shrink(request.body.size());
      return handle(request, found);
    };
    router.add(std::move(method), path, enter, std::move(options));
  }

  template <class Make>
  void add(net::Router& router, std::string method, std::string_view path, Make make, bool needs_key = true) {
    const auto refuse = [this](const net::Request& request, const ApiError& error) {
      return replies_.refuse(*chat_, error, request, new_request_id());
    };
    add_behind(entrance(needs_key, needless_body_bytes_max, refuse), router, std::move(method), path,
               [this, make](const net::Request& request, const net::PathParams& found) {
                 return replies_.finish(make(request, found), request, new_request_id());
               });
  }

  void add_answers(net::Router& router) {
    using Answer = net::Response (Answering::*)(const Dialect&, const net::Request&);
    const auto speak = [&](std::string_view path, const Dialect& dialect, Answer answer) {
      const auto refuse = [this, &dialect](const net::Request& request, const ApiError& error) {
        return answering_.turn_away(dialect, request, error);
      };
      add_behind(entrance(/*needs_key=*/true, options_.body_bytes_max, refuse), router, "POST", path,
                 [this, &dialect, answer](const net::Request& request, const net::PathParams&) {
                   return (answering_.*answer)(dialect, request);
                 });
    };
    speak("/v1/messages", *messages_, &Answering::answer);
    speak("/v1/messages/count_tokens", *messages_, &Answering::count_tokens);
    speak("/v1/chat/completions", *chat_, &Answering::answer);
    speak("/v1/completions", *completions_, &Answering::answer);
    speak("/v1/responses", *responses_, &Answering::answer);
  }

  net::Response model(const net::Request& request, const std::string& id) const {
    for (const std::string& served : served_.ids) {
      if (served == id) return net::Response::json(200, model_json(served_, id));
    }
    return replies_.refuse(*chat_, {.kind = ApiError::Kind::not_found,
                                    .message = "no model of that name is served; see /v1/models"},
                           request, new_request_id());
  }

  net::Response unpin(const std::string& owner) const {
    const auto done = is_pin_owner(owner) ? service_.unpin(owner) : fail(Code::invalid_argument, "no such name");
    if (done) return net::Response::empty();
    return net::Response::json(done.error().code == Code::invalid_argument ? 400 : 503,
                               chat_->error_body(api_error(done.error()), new_request_id()));
  }

  // The KV and the turns of a conversation that its client names as its requests did.
  net::Response forget(const net::Request& request) {
    const std::string user = kv_user_of(access_.client_name(request), request);
    const auto done = user.empty() ? fail(Code::invalid_argument, "which one? Name it in X-Hearth-Session, as its requests did")
                                   : forget_user(user);
    if (!done) {
      return net::Response::json(done.error().code == Code::invalid_argument ? 400 : 503,
                                 chat_->error_body(api_error(done.error()), new_request_id()));
    }
    return net::Response::json(200, Json::object({{"dropped", done->dropped}, {"bytes", done->bytes}, {"shared", done->shared},
                                                  {"pinned", done->pinned}}));
  }

  Result<engine::KvForgotten> forget_user(const std::string& user) {
    TRY(prompts_.forget(user, Deadline::after(forget_wait)));
    return service_.forget(user);
  }

  net::Response health() const {
    if (const auto stall = service_.stall()) {
      return net::Response::json(503, Json::object({{"status", "stalled"}, {"part", stall->part},
                                                    {"seconds", seconds(stall->lasted)}, {"message", stall->what}}));
    }
    const bool ready = !options_.has_model || service_.is_ready();
    return net::Response::json(ready ? 200 : 503, Json::object({{"status", ready ? "ok" : "loading"}}));
  }

  static net::Response preflight(const net::Request& request) {
    net::Response response = net::Response::empty();
    response.headers.set("Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    response.headers.set("Access-Control-Allow-Headers",
                         std::string(request.headers.get("access-control-request-headers", "*")));
    response.headers.set("Access-Control-Max-Age", "600");
    return response;
  }

  net::Response server_error(const net::Request& request, int status, const Error& error) const {
    const Dialect& dialect = dialect_of(request.path);
    // What is served here and what not is nobody else's business.
    const bool no_route = status == 404 || status == 405;
    if (const auto refused = access_.check(request, /*needs_key=*/true); refused && no_route) {
      return replies_.refuse(dialect, *refused, request, new_request_id());
    }
    net::Response response =
        replies_.refuse(dialect, {.kind = kind_of_status(status), .message = error.message},
                        request, new_request_id());
    response.status = status;
    return response;
  }

  std::string metrics_text() const {
    const JobTable::Reading reading = answering_.reading();
    const auto stall = service_.stall();
    return metrics_.prometheus({.jobs = answering_.jobs(),
                                .connections = connection_count_.with([](const auto& count) { return count ? count() : 0; }),
                                .body_bytes = bodies_.held_bytes(),
                                .reading_tokens_done = reading.tokens_done,
                                .reading_tokens = reading.tokens_total,
                                .model_ready = service_.is_ready(),
                                .stalled_s = stall ? static_cast<std::uint64_t>(seconds(stall->lasted)) : 0,
                                .resident_bytes = resident_bytes()});
  }

  const Dialect& dialect_of(std::string_view path) const {
    if (path.starts_with("/v1/messages")) return *messages_;
    if (path.starts_with("/v1/responses")) return *responses_;
    return *chat_;
  }

  engine::ModelService& service_;
  const std::unique_ptr<chat::Format> format_;
  const GatewayOptions options_;
  const Access access_;
  BodyRoom bodies_;
  const Replies replies_;
  PromptBuilder prompts_;
  const ServedModel served_;
  Metrics metrics_;
  Guarded<std::function<std::size_t()>> connection_count_;  // set when the server answers already
  const std::unique_ptr<Dialect> messages_ = make_anthropic_messages();
  const std::unique_ptr<Dialect> chat_ = make_openai_chat();
  const std::unique_ptr<Dialect> completions_ = make_openai_completions();
  const std::unique_ptr<Dialect> responses_ = make_openai_responses();
  Answering answering_;  // last: its threads use the above
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
