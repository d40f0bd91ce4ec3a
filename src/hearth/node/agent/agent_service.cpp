#include "hearth/node/agent/agent_service.h"

#include <fmt/format.h>

#include "hearth/kv/chunk_stream.h"
#include "hearth/node/agent/prefill_job.h"
#include "hearth/node/worker/worker_api.h"

namespace hearth::node {
namespace {

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

// One of the prefills that may run at once.
class Place {
 public:
  explicit Place(std::shared_ptr<std::atomic<std::uint32_t>> taken) : taken_(std::move(taken)) {}
  static std::unique_ptr<Place> take(std::shared_ptr<std::atomic<std::uint32_t>> taken,
                                     std::uint32_t places) {
    if (taken->fetch_add(1) < places) return std::make_unique<Place>(std::move(taken));
    taken->fetch_sub(1);
    return nullptr;
  }
  ~Place() { taken_->fetch_sub(1); }

 private:
  const std::shared_ptr<std::atomic<std::uint32_t>> taken_;
};

}  // namespace

AgentService::AgentService(AgentOptions options, WorkerKeeper& keeper, kv::ChunkStore& store,
                           Inbox& inbox, net::HttpClient& http, Identify identify)
    : options_(std::move(options)), incarnation_(random_id()), keeper_(keeper), store_(store),
      inbox_(inbox), http_(http), identify_(std::move(identify)),
      prefills_running_(std::make_shared<std::atomic<std::uint32_t>>(0)) {}

net::Router AgentService::routes() {
  using net::PathParams;
  using net::Request;
  const net::RouteOptions prompt_body{.body_bytes_max = prompt_body_bytes_max};
  const net::RouteOptions chunk_body{.body_bytes_max =
                                         kv::header_bytes_max + kv::chunk_payload_bytes_max};
  // Every route is for peers only.
  const auto for_peers = [this](auto handler) {
    return [this, handler](Request& request, const PathParams& params) -> Result<net::Response> {
      const std::string peer = TRY(identify_(request));
      return handler(peer, request, params);
    };
  };
  net::Router router;
  router.add("GET", "/v1/node",
             for_peers([this](const std::string&, Request&, const PathParams&) -> Result<net::Response> {
               const NodeFacts known = TRY(facts());
               return net::Response::json(200, facts_json(known));
             }));
  router.add("POST", "/v1/prefills",
             for_peers([this](const std::string& peer, Request& r, const PathParams&) {
               return prefill(peer, r);
             }), prompt_body);
  router.add("POST", "/v1/hand-offs/{id}/missing",
             for_peers([this](const std::string& peer, Request& r, const PathParams& p) {
               return missing(peer, r, p);
             }));
  router.add("PUT", "/v1/hand-offs/{id}/chunks/{key}",
             for_peers([this](const std::string& peer, Request& r, const PathParams& p) {
               return put(peer, r, p);
             }), chunk_body);
  router.add("GET", "/v1/chunks/{key}",
             for_peers([this](const std::string&, Request&, const PathParams& p) { return get(p); }));
  return router;
}

Result<NodeFacts> AgentService::facts() const {
  const auto worker = keeper_.current();
  if (!worker) return fail(Code::unavailable, "the worker is being started; try again soon");
  const WorkerInfo& info = worker->info;
  return NodeFacts{.name = options_.name,
                   .incarnation = incarnation_,
                   .protocol = agent_protocol_version,
                   .hearth_version = options_.hearth_version,
                   .engine_version = info.engine_version,
                   .backend = info.backend,
                   .model_name = info.model_name,
                   .chunk_tokens = info.chunk_tokens,
                   .identity = info.identity,
                   .kv_refusal = info.kv_refusal,
                   .prefills_running = prefills_running_->load(),
                   .prefills_max = options_.prefills_max};
}

Result<net::Response> AgentService::prefill(const std::string& caller,
                                            const net::Request& request) {
  const auto worker = keeper_.current();
  if (!worker) return fail(Code::unavailable, "the worker is being started; try again soon");
  PromptBody body = TRY(read_prompt(request.headers.get("content-type"), request.body.span(),
                                    worker->info.limits.vocabulary));
  PrefillCall call = TRY(call_from_json(body.head));
  const auto layout = worker->info.layout();
  if (!layout) return fail(Code::unsupported, "KV export is off: " + worker->info.kv_refusal);
  if (call.layout != *layout || call.chunk_tokens != worker->info.chunk_tokens) {
    return fail(Code::invalid_argument,
                fmt::format("layout {} and chunks of {} tokens were asked for; {} has {} and {}",
                            call.layout.short_hex(), call.chunk_tokens, options_.name,
                            layout->short_hex(), worker->info.chunk_tokens));
  }
  if (call.from >= body.tokens.size()) {
    return fail(Code::invalid_argument, fmt::format("from is {}, the prompt has {} tokens", call.from,
                                                    body.tokens.size()));
  }
  const net::Address deliver_to = TRY(net::parse_address(call.deliver_to));
  std::shared_ptr<Place> place = Place::take(prefills_running_, options_.prefills_max);
  if (!place) {
    return fail(Code::resource_exhausted,
                fmt::format("{} is busy with {} prefills", options_.name, options_.prefills_max));
  }
  PrefillParts parts{worker, store_, PeerClient(http_, {caller, deliver_to}), incarnation_};
  return net::Response::stream(
      std::make_unique<PrefillJob>(std::move(parts), std::move(call), std::move(body.tokens),
                                   std::move(place)),
      event_stream_type);
}

Result<net::Response> AgentService::missing(const std::string& peer, const net::Request& request,
                                            const net::PathParams& params) {
  const auto delivery = TRY(inbox_.find(params["id"], peer));
  const Json body = TRY(parse_json(request.body_text()));
  const auto keys = TRY(keys_from_json(body, "keys"));
  return net::Response::json(200, Json::object({{"missing", keys_json(delivery->missing(keys))}}));
}

Result<net::Response> AgentService::put(const std::string& peer, const net::Request& request,
                                        const net::PathParams& params) {
  const auto delivery = TRY(inbox_.find(params["id"], peer));
  const auto key = TRY(kv::ChunkKey::parse(params["key"]));
  const Instant began = request.body_began;
  kv::ChunkAssembler assembler({}, {});
  ByteSpan bytes = request.body.span();
  auto chunk = TRY(assembler.add(bytes));
  if (!chunk || !bytes.empty() || chunk->header.key != key) {
    return fail(Code::corrupt, fmt::format("the body is not the one chunk {}", key.short_hex()));
  }
  const auto refusal = delivery->put(std::make_shared<const kv::Chunk>(*std::move(chunk)), began);
  return net::Response::json(
      200, Json::object({{"refusal", refusal ? std::string(kv::refusal_name(*refusal)) : ""}}));
}

Result<net::Response> AgentService::get(const net::PathParams& params) {
  const auto key = TRY(kv::ChunkKey::parse(params["key"]));
  auto chunk = TRY(store_.get(key));
  return net::Response::stream(std::make_unique<StoredChunkBody>(std::move(chunk)), chunk_stream_type);
}

}  // namespace hearth::node
