#include "hearth/node/agent/agent_service.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/check.h"
#include "hearth/kv/chunk_stream.h"
#include "hearth/net/http_error.h"
#include "hearth/node/worker/worker_api.h"

namespace hearth::node {
namespace {

constexpr std::int64_t prompts_coming_max = 4;  // at the same time: they are large, and most machines take one
constexpr Duration prompt_retry_after = std::chrono::seconds(1);

// Header, then payload, straight from the store's memory.
class StoredChunkBody final : public net::BodySource {
 public:
  explicit StoredChunkBody(kv::SharedChunk chunk)
      : chunk_(std::move(chunk)), header_(kv::encode_header(chunk_->header)) {}
  Result<ByteSpan> next(const StopToken&) override {
    switch (part_++) {
      case 0: return ByteSpan(header_);
      case 1: return chunk_->payload.span();
      default: return ByteSpan{};
    }
  }

 private:
  const kv::SharedChunk chunk_;
  const Bytes header_;
  int part_ = 0;
};

Result<cluster::TicketUse> ticket_of(const net::Request& request) {
  return ticket_use_from_text(request.headers.get(ticket_header));
}

net::Response refusal_response(std::optional<kv::Refusal> refusal) {
  return net::Response::json(
      200, Json::object({{"refusal", refusal ? std::string(kv::refusal_name(*refusal)) : ""}}));
}

}  // namespace

AgentService::AgentService(AgentOptions options, WorkerKeeper& keeper, kv::ChunkStore& store,
                           Inbox& inbox, net::HttpClient& http, Identify identify)
    : options_(std::move(options)), keeper_(keeper), store_(store), inbox_(inbox), http_(http),
      identify_(std::move(identify)),
      prompt_places_(prompts_coming_max),
      desk_({.machine = options_.name, .incarnation = inbox.incarnation(),
             .runs_max = options_.prefills_max}) {}

void AgentService::add(net::Router& router, std::string method, std::string_view path,
                       PeerHandler handler, net::RouteOptions options) {
  router.add(std::move(method), path,
             [this, handler](net::Request& request,
                             const net::PathParams& params) -> Result<net::Response> {
               const std::string peer = TRY(identify_(request));
               return (this->*handler)(peer, request, params);
             },
             options);
}

net::Router AgentService::routes() {
  using Params = net::PathParams;
  const net::RouteOptions prompt_body{
      .body_bytes_max = prompt_body_bytes_max,
      .admit = [this](const net::Request& request, std::uint64_t, const Params&) { return admit_prompt(request); }};
  const net::RouteOptions message{
      .admit = [this](const net::Request& request, std::uint64_t, const Params&) { return admit_message(request); }};
  const net::RouteOptions chunk_body{
      .body_bytes_max = kv::header_bytes_max + kv::chunk_payload_bytes_max,
      .admit = [this](const net::Request& request, std::uint64_t body_bytes,
                      const net::PathParams& params) { return admit(request, body_bytes, params); }};
  net::Router router;
  add(router, "GET", "/v1/node", &AgentService::node);
  add(router, "POST", "/v1/prefills", &AgentService::prefill, prompt_body);
  add(router, "DELETE", "/v1/prefills", &AgentService::cancel, {.body_bytes_max = 0});
  add(router, "POST", "/v1/hand-offs/missing", &AgentService::missing, message);
  add(router, "PUT", "/v1/hand-offs/chunks/{key}", &AgentService::put, chunk_body);
  add(router, "POST", "/v1/hand-offs/progress", &AgentService::progress, message);
  add(router, "POST", "/v1/hand-offs/closing", &AgentService::closing, message);
  add(router, "POST", "/v1/hand-offs/failed", &AgentService::failed, message);
  add(router, "GET", "/v1/chunks/{key}", &AgentService::chunk);
  return router;
}

Result<NodeFacts> AgentService::facts() const {
  const auto worker = keeper_.current();
  if (!worker) return fail(Code::unavailable, "the worker is being started; try again soon");
  const WorkerInfo& info = worker->info;
  const std::lock_guard hold(mutex_);
  return NodeFacts{.name = options_.name,
                   .incarnation = inbox_.incarnation(),
                   .protocol = agent_protocol_version,
                   .hearth_version = options_.hearth_version,
                   .engine_version = info.engine_version,
                   .backend = info.backend,
                   .model_name = info.model_name,
                   .chunk_tokens = info.chunk_tokens,
                   .identity = info.identity,
                   .kv_refusal = info.kv_refusal,
                   .prefills_running = static_cast<std::uint32_t>(desk_.running_count()),
                   .prefills_max = options_.prefills_max,
                   .pieces_done = pieces_done_,
                   .pieces = {pieces_.begin(), pieces_.end()}};
}

// As the last one that was as deep, and what lies before it first.
Duration AgentService::first_piece(std::uint32_t depth_tokens, std::uint32_t chunk_tokens) const {
  for (auto piece = pieces_.rbegin(); piece != pieces_.rend(); ++piece) {
    if (piece->tokens == 0 || piece->depth_tokens + piece->tokens < depth_tokens) continue;
    const double token_s = piece->seconds / piece->tokens;
    return std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(token_s * (depth_tokens + chunk_tokens)));
  }
  return piece_unknown;
}

void AgentService::keep_piece(const PrefillPiece& piece) {
  const std::lock_guard hold(mutex_);
  ++pieces_done_;
  pieces_.push_back(piece);
  if (pieces_.size() > prefill_pieces_max) pieces_.pop_front();
}

HandOffCounts AgentService::counts() const {
  const std::lock_guard hold(mutex_);
  return counts_;
}

Json AgentService::running() const {
  const std::lock_guard hold(mutex_);
  Json out = Json::array();
  for (const Job& job : jobs_) {
    if (job.job->is_over()) continue;
    out.push(Json::object({{"kind", "prefills for"}, {"machine", job.caller}, {"tokens", job.token_count},
                           {"seconds", seconds(std::chrono::steady_clock::now() - job.began)}}));
  }
  return out;
}

Result<net::Response> AgentService::node(const std::string&, net::Request&, const net::PathParams&) {
  const NodeFacts known = TRY(facts());
  return net::Response::json(200, facts_json(known));
}

AgentService::Jobs AgentService::sweep(const std::optional<cluster::HandOffId>& id) {
  Jobs out;
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    const auto next = std::next(it);
    if (it->job->is_over() || it->id == id) out.splice(out.end(), jobs_, it);
    it = next;
  }
  return out;
}

Result<net::Response> AgentService::prefill(const std::string& caller, net::Request& request,
                                            const net::PathParams&) {
  const auto worker = keeper_.current();
  if (!worker) return fail(Code::unavailable, "the worker is being started; try again soon");
  PromptBody body = TRY(read_prompt(request.headers.get("content-type"), request.body.span(),
                                    worker->info.limits.vocabulary));
  PrefillCall call = TRY(call_from_json(body.head));
  if (const auto refusal = protocol_refusal({options_.name, options_.hearth_version},
                                            {caller, call.hearth_version, call.protocol})) {
    return fail(Code::unsupported, "cannot be paired: " + *refusal);
  }
  const auto layout = worker->info.layout();
  if (!layout) return fail(Code::unsupported, "KV export is off: " + worker->info.kv_refusal);
  if (call.chunk_tokens != worker->info.chunk_tokens || call.ticket.token_count != body.tokens.size() ||
      call.from >= body.tokens.size()) {
    return fail(Code::invalid_argument,
                fmt::format("tokens {}, from {}, chunks of {}: the prompt has {}, {} cuts chunks of {}",
                            call.ticket.token_count, call.from, call.chunk_tokens, body.tokens.size(),
                            options_.name, worker->info.chunk_tokens));
  }
  const std::size_t new_chunks = model::chain_length(call.from, body.tokens.size(), call.chunk_tokens);
  if (call.stored.size() + new_chunks > kv::transfer_chunks_max) {
    return fail(Code::invalid_argument, fmt::format("{} stored chunks and {} new ones; at most {} are sent",
                                                    call.stored.size(), new_chunks, kv::transfer_chunks_max));
  }
  const net::Address deliver_to = TRY(net::parse_address(call.deliver_to));
  if (deliver_to.is_unix() || (options_.needs_tls && !deliver_to.tls)) {
    return fail(Code::invalid_argument, fmt::format("deliver_to: '{}'; expected https://HOST:PORT of your agent", call.deliver_to));
  }
  call.fetch_stored = call.fetch_stored && (!takes_stored_ || takes_stored_(caller));
  Jobs done;  // dropped after the lock: their threads end
  const std::lock_guard hold(mutex_);
  desk_.set_layouts({*layout});
  const cluster::DeskAnswer answer =
      desk_.on_ask(caller, call.ticket, first_piece(call.from, call.chunk_tokens));
  if (const auto* refused = std::get_if<cluster::PrefillRefused>(&answer)) {
    return std::unexpected(refused->error);
  }
  if (const auto* busy = std::get_if<cluster::PrefillBusy>(&answer)) {
    return net::Response::json(200, reply_json({.is_busy = true, .retry_after = busy->retry_after}));
  }
  const auto& accepted = std::get<cluster::PrefillAccepted>(answer);
  done = sweep(accepted.replaces);
  if (!accepted.is_repeat) {
    PrefillParts parts{.worker = worker, .store = store_,
                       .caller = PeerClient(http_, {caller, deliver_to}),
                       .incarnation = accepted.incarnation,
                       // Whoever takes the chunks may be busy with something long; it cancels what it no longer wants.
                       .patience = {.chunk_compute = std::max(piece_unknown, accepted.first_piece),
                                    .chunk_import = import_unknown},
                       .on_piece = [this](const PrefillPiece& piece) { keep_piece(piece); },
                       .on_over = [this, ticket = call.ticket](const kv::SenderStatistics& sent) {
                         const std::lock_guard over(mutex_);
                         counts_.add(sent);
                         desk_.on_run_over(ticket.id, ticket.attempt);
                       }};
    const cluster::HandOffId id = call.ticket.id;
    const auto token_count = static_cast<std::uint32_t>(body.tokens.size());
    jobs_.push_back({.id = id,
                     .job = std::make_unique<PrefillJob>(std::move(parts), std::move(call), std::move(body.tokens)),
                     .caller = caller,
                     .token_count = token_count,
                     .began = std::chrono::steady_clock::now()});
  }
  return net::Response::json(200, reply_json({.incarnation = accepted.incarnation,
                                              .first_piece = accepted.first_piece}));
}

Result<net::Response> AgentService::cancel(const std::string& peer, net::Request& request,
                                           const net::PathParams&) {
  const cluster::TicketUse use = TRY(ticket_of(request));
  const std::lock_guard hold(mutex_);
  if (!desk_.is_running(peer, use.id, use.attempt)) {
    return fail(Code::not_found, "no such prefill runs for you");
  }
  for (const Job& job : jobs_) {
    if (job.id == use.id) job.job->peer_cancelled();
  }
  return net::Response::empty();
}

Result<std::shared_ptr<Delivery>> AgentService::delivery_of(const std::string& peer,
                                                            const net::Request& request) {
  const cluster::TicketUse use = TRY(ticket_of(request));
  return inbox_.find(use, peer);
}

Result<net::Response> AgentService::missing(const std::string& peer, net::Request& request,
                                            const net::PathParams&) {
  const auto delivery = TRY(delivery_of(peer, request));
  const Json body = TRY(parse_json(request.body_text()));
  const auto keys = TRY(keys_from_json(body, "keys"));
  return net::Response::json(200, Json::object({{"missing", keys_json(delivery->missing(keys))}}));
}

Result<net::Admitted> AgentService::admit_prompt(const net::Request& request) const {
  TRY(identify_(request));
  if (auto place = prompt_places_.take()) return net::Admitted(std::move(place));
  return net::Admitted(net::TurnedAway{net::Response::json(200, reply_json({.is_busy = true, .retry_after = prompt_retry_after}))});
}

Result<net::Admitted> AgentService::admit_message(const net::Request& request) {
  const std::string peer = TRY(identify_(request));
  const auto delivery = delivery_of(peer, request);
  if (!delivery) return net::Admitted(net::error_response(delivery.error()));  // and the connection lasts
  return net::Admitted(std::shared_ptr<void>());
}

// The ticket before a byte of the body, and room for the body before it is read.
Result<net::Admitted> AgentService::admit(const net::Request& request, std::uint64_t body_bytes,
                                          const net::PathParams& params) {
  const std::string peer = TRY(identify_(request));
  const auto delivery = TRY(delivery_of(peer, request));
  const auto key = TRY(kv::ChunkKey::parse(params["key"]));
  auto place = delivery->admit(key, body_bytes);
  if (place) return net::Admitted(std::shared_ptr<void>(*std::move(place)));
  count_taken(body_bytes, /*is_refused=*/true);
  return net::Admitted(refusal_response(place.error()));
}

Result<net::Response> AgentService::put(const std::string& peer, net::Request& request,
                                        const net::PathParams&) {
  const double arrival_s = seconds(std::chrono::steady_clock::now() - request.body_began);
  const auto delivery = TRY(delivery_of(peer, request));
  CHECK(request.admission != nullptr);
  Delivery::Place& place = *std::static_pointer_cast<Delivery::Place>(request.admission);
  const std::uint64_t body_bytes = request.body.size();
  auto chunk = kv::split_chunk(std::move(request.body));
  if (!chunk) {
    request.admission.reset();  // its room is free before its sender hears of it
    count_taken(body_bytes, /*is_refused=*/true);
    return std::unexpected(std::move(chunk.error()));
  }
  const kv::ChunkKey key = chunk->header.key;
  const auto refusal =
      delivery->put(place, std::make_shared<const kv::Chunk>(*std::move(chunk)), request.body_began);
  if (!refusal && on_transfer_) {
    on_transfer_({.peer = peer, .key = key, .arrival = Transfer::Arrival{body_bytes, arrival_s}});
  }
  count_taken(body_bytes, refusal.has_value());
  return refusal_response(refusal);
}

void AgentService::count_taken(std::uint64_t bytes, bool is_refused) {
  const std::lock_guard hold(mutex_);
  if (is_refused) {
    ++counts_.refused_chunks;
  } else {
    ++counts_.taken_chunks;
    counts_.taken_bytes += bytes;
  }
}

Result<net::Response> AgentService::progress(const std::string& peer, net::Request& request,
                                             const net::PathParams&) {
  const auto delivery = TRY(delivery_of(peer, request));
  const Json body = TRY(parse_json(request.body_text()));
  const auto tokens = TRY(get<std::uint32_t>(body, "tokens"));
  return net::Response::json(200, Json::object({{"over", !delivery->progress(tokens)}}));
}

Result<net::Response> AgentService::closing(const std::string& peer, net::Request& request,
                                            const net::PathParams&) {
  const auto delivery = TRY(delivery_of(peer, request));
  const Json body = TRY(parse_json(request.body_text()));
  const auto manifest = TRY(manifest_from_json(body));
  delivery->close(manifest);
  return net::Response::empty();
}

Result<net::Response> AgentService::failed(const std::string& peer, net::Request& request,
                                           const net::PathParams&) {
  const auto delivery = TRY(delivery_of(peer, request));
  const Json body = TRY(parse_json(request.body_text()));
  const auto message = TRY(get<std::string>(body, "message"));
  delivery->peer_failed(message);
  return net::Response::empty();
}

Result<net::Response> AgentService::chunk(const std::string& peer, net::Request&,
                                          const net::PathParams& params) {
  const auto key = TRY(kv::ChunkKey::parse(params["key"]));
  auto stored = TRY(store_.get(key));
  if (on_transfer_) on_transfer_({.peer = peer, .key = key});
  return net::Response::stream(std::make_unique<StoredChunkBody>(std::move(stored)), chunk_stream_type);
}

}  // namespace hearth::node
