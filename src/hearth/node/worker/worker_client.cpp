#include "hearth/node/worker/worker_client.h"

#include <fmt/format.h>

namespace hearth::node {
namespace {

constexpr std::size_t error_body_bytes_max = 64 * 1024;

Error reply_error(int status, std::string_view body) {
  const auto json = parse_json(body);
  if (json && json->find("error") != nullptr) return error_from_json(*json);
  return Error{Code::internal, fmt::format("the worker answered with status {}", status)};
}

// A failed streamed reply has a small body with the reason.
Error stream_error(net::ResponseStream& stream, Deadline deadline) {
  std::string body;
  while (body.size() < error_body_bytes_max) {
    const auto piece = stream.read(deadline);
    if (!piece || piece->empty()) break;
    body += as_text(*piece);
  }
  return reply_error(stream.status(), body);
}

}  // namespace

Result<engine::JobEvent> Generation::next(Deadline deadline) {
  while (true) {
    if (const auto json = TRY(reader_.next())) return event_from_json(*json);
    const ByteSpan piece = TRY(stream_->read(deadline));
    if (piece.empty()) return fail(Code::unavailable, "the worker ended its answer without a last event");
    TRY(reader_.push(piece));
  }
}

Result<std::optional<kv::Chunk>> ChunkSource::next(Deadline deadline) {
  while (true) {
    if (!unread_.empty()) {
      if (!inside_chunk_) chunk_began_ = std::chrono::steady_clock::now();
      inside_chunk_ = true;
      if (auto chunk = TRY(assembler_.add(unread_))) {
        inside_chunk_ = false;
        return chunk;
      }
    }
    unread_ = TRY(stream_->read(deadline));
    if (unread_.empty()) {
      TRY(assembler_.finish());
      return std::optional<kv::Chunk>();
    }
  }
}

Result<Json> WorkerClient::call(std::string method, std::string target, std::vector<ByteSpan> body,
                                Deadline deadline, const StopToken& stop) const {
  net::ClientRequest request{.method = std::move(method), .address = address_,
                             .target = std::move(target), .headers = {}, .body = std::move(body)};
  const net::ClientReply reply = TRY(http_.send(request, deadline, stop));
  if (reply.status == 204) return Json();
  if (reply.status != 200) return std::unexpected(reply_error(reply.status, reply.body_text()));
  return parse_json(reply.body_text());
}

Result<WorkerInfo> WorkerClient::info(Deadline deadline, const StopToken& stop) const {
  const Json json = TRY(call("GET", "/v1/info", {}, deadline, stop));
  return info_from_json(json);
}

Result<Json> WorkerClient::stats(Deadline deadline, const StopToken& stop) const {
  return call("GET", "/v1/stats", {}, deadline, stop);
}

Result<std::vector<Token>> WorkerClient::tokenize(std::string_view text, bool special,
                                                  Deadline deadline, const StopToken& stop) const {
  const std::string body = dump_json(Json::object({{"text", text}, {"special", special}}));
  const Json json = TRY(call("POST", "/v1/tokenize", {as_byte_span(body)}, deadline, stop));
  return tokens_from_json(json, "tokens", 0);
}

Result<engine::LeaseInfo> WorkerClient::open_lease(std::span<const Token> prompt, Duration keep,
                                                   Deadline deadline, const StopToken& stop) const {
  const auto keep_ms = std::chrono::duration_cast<std::chrono::milliseconds>(keep).count();
  const std::string body =
      dump_json(Json::object({{"tokens", tokens_json(prompt)}, {"keep_ms", keep_ms}}));
  const Json json = TRY(call("POST", "/v1/leases", {as_byte_span(body)}, deadline, stop));
  engine::LeaseInfo out;
  out.lease.value = TRY(get<std::uint64_t>(json, "lease"));
  out.held_tokens = static_cast<std::uint32_t>(TRY(get<std::uint64_t>(json, "held_tokens")));
  return out;
}

Result<> WorkerClient::close_lease(engine::LeaseId lease, Deadline deadline) const {
  TRY(call("DELETE", fmt::format("/v1/leases/{}", lease.value), {}, deadline, {}));
  return {};
}

Result<> WorkerClient::import_chunk(engine::LeaseId lease, const kv::Chunk& chunk,
                                    Deadline deadline, const StopToken& stop) const {
  const Bytes header = kv::encode_header(chunk.header);
  TRY(call("PUT", fmt::format("/v1/leases/{}/chunks", lease.value),
           {ByteSpan(header), chunk.payload.span()}, deadline, stop));
  return {};
}

Result<> WorkerClient::import_file(engine::LeaseId lease, const std::filesystem::path& path,
                                   const kv::ChunkKey& key, Deadline deadline,
                                   const StopToken& stop) const {
  const std::string body =
      dump_json(Json::object({{"path", path.string()}, {"key", key.hex()}}));
  TRY(call("POST", fmt::format("/v1/leases/{}/files", lease.value), {as_byte_span(body)}, deadline,
           stop));
  return {};
}

Result<std::unique_ptr<net::ResponseStream>> WorkerClient::open_stream(std::string target,
                                                                       const Json& body,
                                                                       Deadline head_deadline,
                                                                       const StopToken& stop) const {
  const std::string text = dump_json(body);
  const net::ClientRequest request{.method = "POST", .address = address_,
                                   .target = std::move(target), .headers = {},
                                   .body = {as_byte_span(text)}};
  auto stream = TRY(http_.open_stream(request, head_deadline, stop));
  if (stream->status() != 200) return std::unexpected(stream_error(*stream, head_deadline));
  return stream;
}

Result<std::unique_ptr<Generation>> WorkerClient::generate(const engine::GenerateRequest& request,
                                                           Deadline head_deadline,
                                                           const StopToken& stop) const {
  auto stream = TRY(open_stream("/v1/generate", generate_json(request), head_deadline, stop));
  return std::unique_ptr<Generation>(new Generation(std::move(stream)));
}

Result<std::unique_ptr<ChunkSource>> WorkerClient::prefill(const engine::PrefillRequest& request,
                                                           const kv::ChunkKey& parent,
                                                           const kv::LayoutDigest& layout,
                                                           Deadline head_deadline,
                                                           const StopToken& stop) const {
  Json body = prefill_json(request);
  body.set("parent", parent.hex());
  auto stream = TRY(open_stream("/v1/prefill", body, head_deadline, stop));
  return std::unique_ptr<ChunkSource>(
      new ChunkSource(std::move(stream), kv::ExpectedChunk{.layout = layout, .key = {}}));
}

}  // namespace hearth::node
