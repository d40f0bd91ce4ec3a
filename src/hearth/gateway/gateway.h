#pragma once
// The HTTP surface for people's tools: routes over one ModelService. No sockets here: hand the
// router and the server options to an HttpServer, which must end before the Gateway does.
//
// A request goes: access and room for its body, by its head alone; dialect.parse, label, a running answer it may
// join, route; then elsewhere, or here: prompt, window, constraint, job; answer as a stream or whole. Thread-safe.

#include <filesystem>
#include <memory>
#include <string>

#include "hearth/base/json.h"
#include "hearth/chat/format.h"
#include "hearth/engine/model_service.h"
#include "hearth/gateway/access.h"
#include "hearth/gateway/answer_runner.h"
#include "hearth/gateway/dialect.h"
#include "hearth/gateway/job_table.h"
#include "hearth/gateway/metrics.h"
#include "hearth/gateway/prompt_builder.h"
#include "hearth/gateway/routing.h"
#include "hearth/net/http_router.h"
#include "hearth/net/http_server.h"
#include "hearth/seal/labeller.h"

namespace hearth::gateway {

struct GatewayOptions {
  AccessRules access;
  std::string model_id;                // the name that /v1/models and answers carry
  // False: nothing is answered here, only routed, and the service is a NoModel.
  bool has_model = true;
  std::vector<std::string> other_models;  // beside model_id, or instead of it, in /v1/models
  SamplingChoice sampling;             // where set: instead of the model's recommendation
  bool client_sampling = true;         // what clients ask for wins over both
  JobTable::Limits jobs;
  Duration heartbeat = std::chrono::seconds(10);
  // A stream begins when the prompt's cached part is known, or after this long.
  Duration start_wait = std::chrono::seconds(2);
  // A client without a stream is asked to come back after this long: its own patience ends at 300 s.
  Duration whole_answer_wait = std::chrono::seconds(240);
  std::uint64_t body_bytes_max = 64u << 20;
  // Of the bodies of all requests together, read or waiting for their answer; the largest one fits at any rate.
  std::uint64_t bodies_bytes_max = 512u << 20;
  // Gives each request its label; without it everything is open. Outlives the gateway.
  seal::LabelGiver* labeller = nullptr;
  const Routing* routing = nullptr;     // outlives the gateway; nullptr: the model answers all
  std::filesystem::path turns_file = {};  // where turns outlive the server; empty: they do not
  std::uint32_t answer_reserve_tokens = 1024;  // a prompt must leave so much room, or an eighth
};

class Gateway {
 public:
  // `service` outlives this and is ready: the vocabulary is asked for the format's markers.
  static Result<std::unique_ptr<Gateway>> create(engine::ModelService& service,
                                                 std::unique_ptr<chat::Format> format,
                                                 GatewayOptions options, const StopToken& stop);
  virtual ~Gateway() = default;
  virtual net::Router routes() = 0;
  // Errors that the server itself answers, in the words of the API that was spoken to.
  virtual net::HttpServerOptions server_options() const = 0;
  // For /metrics; set once the server runs, and may be asked by then.
  virtual void set_connection_count(std::function<std::size_t()> count) = 0;
  virtual const Metrics& metrics() const = 0;
  // The answers on their way, the oldest first: [{stage: waiting, reading or writing; prompt_tokens,
  // read_tokens, seconds}]. Counts only. Any thread.
  virtual Json answers() const = 0;
  // Ends every answer with an error that its client sees; later requests end like that at once.
  // Before the server is stopped: it cuts what still runs.
  virtual void end_answers() = 0;
};

}  // namespace hearth::gateway
