#include "hearth/node/worker/worker_service.h"

#include <fmt/format.h>

#include <atomic>
#include <cstdlib>

#include "hearth/base/check.h"
#include "hearth/base/process_memory.h"
#include "hearth/net/ndjson.h"
#include "hearth/node/worker/file_import.h"

namespace hearth::node {
namespace {

// One step of the engine is at most one batch; a call waits for one or two of them.
constexpr Duration engine_call_deadline = std::chrono::seconds(120);
constexpr std::uint64_t lease_keep_ms_max = 3'600'000;

Result<engine::LeaseId> parse_lease(const net::PathParams& params) {
  const std::string& text = params["lease"];
  char* end = nullptr;
  const unsigned long long value = std::strtoull(text.c_str(), &end, 10);
  if (text.empty() || *end != '\0') {
    return fail(Code::invalid_argument, fmt::format("lease: '{}' is not a number", text));
  }
  return engine::LeaseId{value};
}

// Events of a generation, one JSON line each. Owns its cancel source: when the client leaves, the
// connection drops this object and the job ends at the engine's next step.
class EventBody final : public net::BodySource {
 public:
  EventBody(std::shared_ptr<engine::JobChannel> channel, std::unique_ptr<StopSource> cancel)
      : channel_(std::move(channel)), cancel_(std::move(cancel)) {}
  ~EventBody() override { cancel_->request_stop(); }

  Result<ByteSpan> next(const StopToken& stop) override {
    if (ended_) return ByteSpan{};
    const engine::JobEvent event = TRY(channel_->next(Deadline::never(), stop));
    ended_ = std::holds_alternative<engine::Finished>(event) || std::holds_alternative<Error>(event);
    line_ = net::ndjson_line(event_json(event));
    return as_byte_span(line_);
  }

 private:
  std::shared_ptr<engine::JobChannel> channel_;
  std::unique_ptr<StopSource> cancel_;
  std::string line_;
  bool ended_ = false;
};

// Rows of logits as they are computed. Owns its cancel source, as EventBody does.
class LogitsBody final : public net::BodySource {
 public:
  LogitsBody(std::shared_ptr<engine::JobChannel> channel, std::unique_ptr<StopSource> cancel)
      : channel_(std::move(channel)), cancel_(std::move(cancel)) {}
  ~LogitsBody() override { cancel_->request_stop(); }

  Result<ByteSpan> next(const StopToken& stop) override {
    while (true) {
      engine::JobEvent event = TRY(channel_->next(Deadline::never(), stop));
      if (auto* logits = std::get_if<engine::LogitsDone>(&event)) {
        rows_ = std::move(logits->rows);
        return std::as_bytes(std::span(rows_));
      }
      if (std::holds_alternative<engine::Finished>(event)) return ByteSpan{};
      if (auto* error = std::get_if<Error>(&event)) return std::unexpected(std::move(*error));
    }
  }

 private:
  std::shared_ptr<engine::JobChannel> channel_;
  std::unique_ptr<StopSource> cancel_;
  std::vector<float> rows_;
};

// What a prefill exports, as it is computed. Owns its cancel source, as EventBody does.
class PrefillStates {
 public:
  PrefillStates(std::shared_ptr<engine::JobChannel> channel, std::unique_ptr<StopSource> cancel)
      : channel_(std::move(channel)), cancel_(std::move(cancel)) {}
  ~PrefillStates() { cancel_->request_stop(); }

  Result<std::optional<engine::StateDone>> next(const StopToken& stop) {
    while (true) {
      engine::JobEvent event = TRY(channel_->next(Deadline::never(), stop));
      if (auto* state = std::get_if<engine::StateDone>(&event)) return std::move(*state);
      if (std::holds_alternative<engine::Finished>(event)) return std::nullopt;
      if (auto* error = std::get_if<Error>(&event)) return std::unexpected(std::move(*error));
    }
  }

 private:
  std::shared_ptr<engine::JobChannel> channel_;
  std::unique_ptr<StopSource> cancel_;
};

WorkerLayouts layouts_of(const WorkerInfo& info, const engine::Engine& engine) {
  WorkerLayouts out;
  if (!info.identity) return out;
  out.emplace_back(*info.layout(), engine::AdapterSetId{});
  for (const model::NamedAdapters& set : info.adapter_sets) {
    const auto id = engine.find_adapters(set.name);
    CHECK(id.has_value());
    out.emplace_back(*info.layout(set.name), *id);
  }
  return out;
}

}  // namespace

WorkerService::WorkerService(engine::EngineThread& engine, WorkerInfo info, std::string producer)
    : engine_(engine),
      info_(std::move(info)),
      layouts_(layouts_of(info_, engine.engine())),
      provenance_{info_.engine_build, info_.backend, std::move(producer),
                  info_.limits.ubatch_tokens} {}

net::Router WorkerService::routes() {
  using net::PathParams;
  using net::Request;
  const net::RouteOptions prompt_body{.body_bytes_max = prompt_body_bytes_max};
  const net::RouteOptions chunk_body{.body_bytes_max =
                                         kv::header_bytes_max + kv::chunk_payload_bytes_max};
  net::Router router;
  router.add("GET", "/v1/info", [this](Request&, const PathParams&) -> Result<net::Response> {
    return net::Response::json(200, info_json(info_));
  });
  router.add("GET", "/v1/pulse", [this](Request&, const PathParams&) -> Result<net::Response> {
    return net::Response::json(200, Json::object({{"step_s", seconds(engine_.busy_for())}}));
  });
  router.add("GET", "/v1/stats", [this](Request&, const PathParams&) { return stats(); });
  router.add("POST", "/v1/tokenize",
             [this](Request& r, const PathParams&) { return tokenize(r); }, prompt_body);
  router.add("POST", "/v1/detokenize",
             [this](Request& r, const PathParams&) { return detokenize(r); }, prompt_body);
  router.add("POST", "/v1/leases",
             [this](Request& r, const PathParams&) { return open_lease(r); }, prompt_body);
  router.add("DELETE", "/v1/leases/{lease}",
             [this](Request&, const PathParams& p) -> Result<net::Response> {
               const auto lease = TRY(parse_lease(p));
               TRY(engine_.call(
                   [lease](engine::Scheduler& s) -> Result<> {
                     s.close_lease(lease);
                     return {};
                   },
                   Deadline::after(engine_call_deadline)));
               return net::Response::empty();
             });
  router.add("PUT", "/v1/leases/{lease}/chunks",
             [this](Request& r, const PathParams& p) { return import_body(r, p); }, chunk_body);
  router.add("POST", "/v1/leases/{lease}/files",
             [this](Request& r, const PathParams& p) { return import_files(r, p); });
  router.add("POST", "/v1/generate",
             [this](Request& r, const PathParams&) { return generate(r); }, prompt_body);
  router.add("POST", "/v1/exports",
             [this](Request& r, const PathParams&) { return exports(r); }, prompt_body);
  router.add("POST", "/v1/prefill",
             [this](Request& r, const PathParams&) { return prefill(r); }, prompt_body);
  router.add("POST", "/v1/score",
             [this](Request& r, const PathParams&) { return score(r); }, prompt_body);
  return router;
}

Result<PromptBody> WorkerService::read_body(const net::Request& request) const {
  return read_prompt(request.headers.get("content-type"), request.body.span(), info_.limits.vocabulary);
}

std::unexpected<Error> WorkerService::kv_is_off(std::string_view what) const {
  return fail(Code::unsupported, fmt::format("KV {} is off: {}", what, info_.kv_refusal));
}

Result<net::Response> WorkerService::stats() {
  const auto out = std::make_shared<engine::SchedulerStats>();  // may outlive a timed-out call
  TRY(engine_.call(
      [out](engine::Scheduler& s) -> Result<> {
        *out = s.stats();
        return {};
      },
      Deadline::after(engine_call_deadline)));
  return net::Response::json(200, stats_json(*out, resident_bytes()));
}

Result<net::Response> WorkerService::tokenize(const net::Request& request) const {
  const Json body = TRY(parse_json(request.body_text()));
  const auto text = TRY(get<std::string>(body, "text"));
  const auto special = TRY(get_or<bool>(body, "special", false));
  const auto tokens = TRY(engine_.engine().tokenize(text, special));
  return net::Response::json(200, Json::object({{"tokens", tokens_json(tokens)}}));
}

Result<net::Response> WorkerService::detokenize(const net::Request& request) const {
  const Json body = TRY(parse_json(request.body_text()));
  const auto tokens = TRY(tokens_from_json(body, "tokens", info_.limits.vocabulary));
  std::string text;
  for (const Token token : tokens) text += engine_.engine().token_text(token, /*special=*/true);
  return net::Response::json(200, Json::object({{"text", text}}));
}

Result<net::Response> WorkerService::open_lease(const net::Request& request) {
  auto prompt = TRY(read_body(request));
  const auto keep_ms = TRY(get<std::uint64_t>(prompt.head, "keep_ms"));
  const Duration keep = std::chrono::milliseconds(std::min(keep_ms, lease_keep_ms_max));
  const std::string adapter = TRY(adapter_from_json(prompt.head));
  const engine::AdapterSetId adapters = TRY(engine_.engine().find_adapters(adapter));
  const auto out = std::make_shared<engine::LeaseInfo>();
  const auto given_up = std::make_shared<std::atomic<bool>>(false);
  const auto opened = engine_.call(
      [out, keep, adapters, given_up, stop = request.stop,
       tokens = std::move(prompt.tokens)](engine::Scheduler& s) -> Result<> {
        // A lease of which nobody knows would hold its sequence for as long as it may be kept.
        if (*given_up || stop.stop_requested()) return fail(Code::cancelled, "nobody waits for this lease");
        *out = TRY(s.open_lease(tokens, keep, adapters));
        return {};
      },
      Deadline::after(engine_call_deadline));
  if (!opened) {
    *given_up = true;
    return std::unexpected(opened.error());
  }
  return net::Response::json(
      200, Json::object({{"lease", out->lease.value}, {"held_tokens", out->held_tokens}}));
}

Result<net::Response> WorkerService::import_body(net::Request& request,
                                                 const net::PathParams& params) {
  if (layouts_.empty()) return kv_is_off("import");
  const auto lease = TRY(parse_lease(params));
  auto header = TRY(kv::parse_header(request.body.span()));
  const std::size_t offset = kv::header_bytes(header);
  kv::ExpectedChunk expected;
  engine::StateOrigin origin;
  if (const std::string* foreign = request.headers.find(foreign_layout_header)) {
    expected.layout = TRY(kv::LayoutDigest::parse(*foreign));
    origin.is_foreign = true;
  } else {
    origin.adapters = TRY(adapters_of(header, layouts_));
  }
  const auto import = std::make_shared<Import>(Import{std::move(header), std::move(request.body), offset});
  TRY(kv::verify_chunk(import->header, import->payload(), expected));
  return import_chunk(lease, import, origin);
}

Result<net::Response> WorkerService::import_files(const net::Request& request,
                                                  const net::PathParams& params) {
  if (layouts_.empty()) return kv_is_off("import");
  const auto lease = TRY(parse_lease(params));
  const Json body = TRY(parse_json(request.body_text()));
  const auto files = TRY(files_from_json(body));
  const FilesImported imported = node::import_files(engine_, lease, layouts_, files);
  return net::Response::json(200, imported_json(imported));
}

Result<net::Response> WorkerService::import_chunk(engine::LeaseId lease,
                                                  std::shared_ptr<const Import> import,
                                                  engine::StateOrigin origin) {
  TRY(engine_.call(
      [lease, import, origin](engine::Scheduler& s) {
        const kv::ChunkHeader& header = import->header;
        return s.import_state(lease, header.range, header.tokens, import->payload(), origin);
      },
      Deadline::after(engine_call_deadline)));
  return net::Response::json(200, Json::object({{"held_tokens", import->header.range.end}}));
}

Result<net::Response> WorkerService::generate(const net::Request& request) {
  auto body = TRY(read_body(request));
  auto job = TRY(generate_from_json(std::move(body)));
  auto cancel = std::make_unique<StopSource>();
  auto channel = TRY(engine_.generate(std::move(job), cancel->token()));
  return net::Response::stream(std::make_unique<EventBody>(std::move(channel), std::move(cancel)),
                               event_stream_type);
}

Result<net::Response> WorkerService::prefill(const net::Request& request) {
  if (layouts_.empty()) return kv_is_off("export");
  auto body = TRY(read_body(request));
  const Json head = body.head;
  auto job = TRY(prefill_from_json(std::move(body)));
  const std::uint32_t from = job.export_from.value_or(0);
  if (from > job.prompt.size()) {
    return fail(Code::invalid_argument, fmt::format("export_from is {}, the prompt has {} tokens",
                                                    from, job.prompt.size()));
  }
  ChunkChain chain = TRY(chain_from(head, from, job.prompt));
  job.export_from = from;
  auto cancel = std::make_unique<StopSource>();
  auto channel = TRY(engine_.prefill(std::move(job), cancel->token()));
  const auto states = std::make_shared<PrefillStates>(std::move(channel), std::move(cancel));
  return net::Response::stream(
      std::make_unique<ChunkBody>([states](const StopToken& stop) { return states->next(stop); },
                                  std::move(chain)),
      chunk_stream_type);
}

Result<net::Response> WorkerService::score(const net::Request& request) {
  auto body = TRY(read_body(request));
  auto job = TRY(score_from_json(std::move(body)));
  auto cancel = std::make_unique<StopSource>();
  auto channel = TRY(engine_.score(std::move(job), cancel->token()));
  return net::Response::stream(std::make_unique<LogitsBody>(std::move(channel), std::move(cancel)),
                               logits_stream_type);
}

// The key of what comes before: the caller tells how that prefix was cut into chunks.
Result<ChunkChain> WorkerService::chain_from(const Json& head, std::uint32_t from,
                                             std::vector<Token> tokens) const {
  const std::string adapter = TRY(adapter_from_json(head));
  const auto layout = info_.layout(adapter);
  if (!layout) return std::unexpected(model::no_such_adapter(adapter, info_.adapter_sets));
  ChunkChain chain{std::move(tokens), *layout, model::root_key(*layout), provenance_};
  if (const auto parent_hex = TRY(find<std::string>(head, "parent"))) {
    chain.parent = TRY(model::ChunkKey::parse(*parent_hex));
  } else if (from > 0) {
    return fail(Code::invalid_argument, "parent: the key of the last chunk before the first one is missing");
  }
  return chain;
}

// One engine call a chunk: answers that run meanwhile wait for one export at most.
Result<net::Response> WorkerService::exports(const net::Request& request) {
  if (layouts_.empty()) return kv_is_off("export");
  auto body = TRY(read_body(request));
  const std::string adapter = TRY(adapter_from_json(body.head));
  const engine::AdapterSetId adapters = TRY(engine_.engine().find_adapters(adapter));
  const auto from = TRY(get_or<std::uint64_t>(body.head, "from", 0));
  const auto tail = TRY(get_or<std::uint32_t>(body.head, "tail_tokens", 0));
  if (from > body.tokens.size()) {
    return fail(Code::invalid_argument,
                fmt::format("from is {}, there are {} tokens", from, body.tokens.size()));
  }
  ChunkChain chain = TRY(chain_from(body.head, static_cast<std::uint32_t>(from), body.tokens));
  const std::uint32_t step = info_.chunk_tokens;
  StateSource source = [this, step, tail, adapters, position = static_cast<std::uint32_t>(from),
                        tokens = std::make_shared<const std::vector<Token>>(std::move(body.tokens))](
                           const StopToken&) mutable -> Result<std::optional<engine::StateDone>> {
    TokenRange range{position, (position / step + 1) * step};
    if (range.end > tokens->size() && tail > 0) range.end = position + tail;
    if (range.end > tokens->size()) return std::nullopt;
    const auto out = std::make_shared<std::optional<engine::StateDone>>();  // may outlive the call
    TRY(engine_.call(
        [out, tokens, range, adapters](engine::Scheduler& scheduler) -> Result<> {
          *out = TRY(scheduler.export_held(*tokens, range, adapters));
          return {};
        },
        Deadline::after(engine_call_deadline)));
    position = range.end;
    return std::move(*out);
  };
  return net::Response::stream(std::make_unique<ChunkBody>(std::move(source), std::move(chain)),
                               chunk_stream_type);
}

}  // namespace hearth::node
