#include "hearth/node/agent/peer_client.h"

#include <fmt/format.h>

#include "hearth/kv/chunk_stream.h"
#include "hearth/net/http_error.h"
#include "hearth/node/worker/worker_api.h"

namespace hearth::node {
namespace {

constexpr const char* json_type = "application/json";
// A whole chunk on a slow link; that the link is alive is watched by the stall.
constexpr Duration chunk_deadline = std::chrono::minutes(10);
constexpr Duration stall_time_max = std::chrono::seconds(5);
constexpr std::size_t error_body_bytes_max = 64 * 1024;

}  // namespace

Result<PrefillEvent> PrefillEvents::next(Deadline deadline) {
  while (true) {
    if (const auto json = TRY(reader_.next())) return prefill_event_from_json(*json);
    const ByteSpan piece = TRY(stream_->read(deadline));
    if (piece.empty()) return fail(Code::unavailable, "the peer ended its prefill without a last event");
    TRY(reader_.push(piece));
  }
}

net::ClientRequest PeerClient::request(std::string method, std::string target,
                                       std::vector<ByteSpan> body, const char* body_type) const {
  net::ClientRequest out{.method = std::move(method), .address = peer_.address,
                         .target = std::move(target), .headers = {}, .body = std::move(body)};
  out.stall_time_max = stall_time_max;
  if (!out.body.empty()) out.headers.add("Content-Type", body_type);
  return out;
}

Result<Json> PeerClient::call(const net::ClientRequest& request, Deadline deadline,
                              const StopToken& stop) const {
  const net::ClientReply reply = TRY(http_.send(request, deadline, stop));
  if (reply.status >= 400) {
    return std::unexpected(net::error_of_reply(reply.status, reply.body.span(), peer_.name));
  }
  return parse_json(reply.body_text());
}

Result<NodeFacts> PeerClient::facts(Deadline deadline, const StopToken& stop) const {
  const Json json = TRY(call(request("GET", "/v1/node", {}, json_type), deadline, stop));
  return facts_from_json(json);
}

Result<std::unique_ptr<PrefillEvents>> PeerClient::prefill(const PrefillCall& call,
                                                           std::span<const Token> target,
                                                           Deadline head_deadline,
                                                           const StopToken& stop) const {
  const std::string head = prompt_head(call_json(call));
  const auto sent = request("POST", "/v1/prefills", {as_byte_span(head), std::as_bytes(target)},
                            prompt_type);
  auto stream = TRY(http_.open_stream(sent, head_deadline, stop));
  if (stream->status() == 200) return std::make_unique<PrefillEvents>(std::move(stream));
  std::string body;
  while (body.size() < error_body_bytes_max) {
    const auto piece = stream->read(head_deadline);
    if (!piece || piece->empty()) break;
    body += as_text(*piece);
  }
  return std::unexpected(net::error_of_reply(stream->status(), as_byte_span(body), peer_.name));
}

Result<std::vector<kv::ChunkKey>> PeerClient::missing(const std::string& hand_off,
                                                      std::span<const kv::ChunkKey> keys,
                                                      Deadline deadline, const StopToken& stop) const {
  const std::string body = dump_json(Json::object({{"keys", keys_json(keys)}}));
  const Json json = TRY(call(request("POST", fmt::format("/v1/hand-offs/{}/missing", hand_off),
                                     {as_byte_span(body)}, json_type), deadline, stop));
  return keys_from_json(json, "missing");
}

Result<std::optional<kv::Refusal>> PeerClient::put(const std::string& hand_off, const kv::Chunk& chunk,
                                                   const StopToken& stop) const {
  const Bytes header = kv::encode_header(chunk.header);
  const std::string target =
      fmt::format("/v1/hand-offs/{}/chunks/{}", hand_off, chunk.header.key.hex());
  const Json json = TRY(call(request("PUT", target, {ByteSpan(header), chunk.payload.span()},
                                     chunk_stream_type), Deadline::after(chunk_deadline), stop));
  const auto name = TRY(hearth::get<std::string>(json, "refusal"));
  if (name.empty()) return std::optional<kv::Refusal>();
  const auto refusal = refusal_from_name(name);
  if (!refusal) return fail(Code::invalid_argument, fmt::format("refusal: '{}' is not known", name));
  return refusal;
}

Result<kv::SharedChunk> PeerClient::get(const kv::LayoutDigest& layout, const kv::ChunkKey& key,
                                        const StopToken& stop) const {
  const Deadline deadline = Deadline::after(chunk_deadline);
  const auto stream =
      TRY(http_.open_stream(request("GET", "/v1/chunks/" + key.hex(), {}, json_type), deadline, stop));
  if (stream->status() != 200) {
    return fail(Code::not_found, fmt::format("{} has no chunk {}", peer_.name, key.short_hex()));
  }
  kv::ChunkAssembler assembler({.layout = layout, .key = key}, {});
  while (true) {
    ByteSpan piece = TRY(stream->read(deadline));
    if (piece.empty()) return fail(Code::unavailable, peer_.name + ": the chunk was cut short");
    if (auto chunk = TRY(assembler.add(piece))) {
      return std::make_shared<const kv::Chunk>(*std::move(chunk));
    }
  }
}

}  // namespace hearth::node
