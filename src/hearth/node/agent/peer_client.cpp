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

}  // namespace

net::ClientRequest PeerClient::request(std::string method, std::string target,
                                       std::vector<ByteSpan> body, const char* body_type) const {
  net::ClientRequest out{.method = std::move(method), .address = peer_.address,
                         .target = std::move(target), .headers = {}, .body = std::move(body)};
  out.stall_time_max = stall_time_max;
  if (peer_.address.tls) out.expected_machine = peer_.name;
  if (!out.body.empty()) out.headers.add("Content-Type", body_type);
  return out;
}

Result<Json> PeerClient::call(const net::ClientRequest& request, Deadline deadline,
                              const StopToken& stop) const {
  const net::ClientReply reply = TRY(http_.send(request, deadline, stop));
  if (reply.status >= 400) {
    return std::unexpected(net::error_of_reply(reply.status, reply.body.span(), peer_.name));
  }
  return reply.status == 204 ? Json() : parse_json(reply.body_text());
}

Result<NodeFacts> PeerClient::facts(Deadline deadline, const StopToken& stop) const {
  const Json json = TRY(call(request("GET", "/v1/node", {}, json_type), deadline, stop));
  return facts_from_json(json);
}

Result<PrefillReply> PeerClient::prefill(const PrefillCall& call, std::span<const Token> target,
                                         Deadline deadline, const StopToken& stop) const {
  const std::string head = prompt_head(call_json(call));
  const auto sent = request("POST", "/v1/prefills", {as_byte_span(head), std::as_bytes(target)},
                            prompt_type);
  const Json json = TRY(this->call(sent, deadline, stop));
  return reply_from_json(json);
}

Result<Json> PeerClient::tell(std::string target, const cluster::TicketUse& use, const Json& body,
                              Deadline deadline, const StopToken& stop) const {
  const std::string text = dump_json(body);
  auto sent = request("POST", std::move(target), {as_byte_span(text)}, json_type);
  sent.headers.add(ticket_header, ticket_use_text(use));
  return call(sent, deadline, stop);
}

Result<> PeerClient::cancel(const cluster::TicketUse& use, Deadline deadline) const {
  auto sent = request("DELETE", "/v1/prefills", {}, json_type);
  sent.headers.add(ticket_header, ticket_use_text(use));
  TRY(call(sent, deadline, {}));
  return {};
}

Result<std::vector<kv::ChunkKey>> PeerClient::missing(const cluster::TicketUse& use,
                                                      std::span<const kv::ChunkKey> keys,
                                                      Deadline deadline, const StopToken& stop) const {
  const Json json = TRY(tell("/v1/hand-offs/missing", use, Json::object({{"keys", keys_json(keys)}}),
                             deadline, stop));
  return keys_from_json(json, "missing");
}

Result<std::optional<kv::Refusal>> PeerClient::put(const cluster::TicketUse& use, const kv::Chunk& chunk,
                                                   const StopToken& stop) const {
  const Bytes header = kv::encode_header(chunk.header);
  auto sent = request("PUT", "/v1/hand-offs/chunks/" + chunk.header.key.hex(),
                      {ByteSpan(header), chunk.payload.span()}, chunk_stream_type);
  sent.headers.add(ticket_header, ticket_use_text(use));
  const Json json = TRY(call(sent, Deadline::after(chunk_deadline), stop));
  const auto name = TRY(hearth::get<std::string>(json, "refusal"));
  if (name.empty()) return std::optional<kv::Refusal>();
  const auto refusal = refusal_from_name(name);
  if (!refusal) return fail(Code::invalid_argument, fmt::format("refusal: '{}' is not known", name));
  return refusal;
}

Result<bool> PeerClient::progress(const cluster::TicketUse& use, std::uint32_t done_tokens,
                                  Deadline deadline, const StopToken& stop) const {
  const Json json = TRY(tell("/v1/hand-offs/progress", use, Json::object({{"tokens", done_tokens}}),
                             deadline, stop));
  return hearth::get<bool>(json, "over");
}

Result<> PeerClient::close(const cluster::TicketUse& use, const cluster::ClosingManifest& manifest,
                           Deadline deadline, const StopToken& stop) const {
  TRY(tell("/v1/hand-offs/closing", use, manifest_json(manifest), deadline, stop));
  return {};
}

Result<> PeerClient::tell_failed(const cluster::TicketUse& use, const std::string& message,
                                 Deadline deadline) const {
  TRY(tell("/v1/hand-offs/failed", use, Json::object({{"message", message}}), deadline, {}));
  return {};
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
