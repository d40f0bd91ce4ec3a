#include "hearth/node/worker/worker_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "hearth/kv/chunk_stream.h"

namespace hearth::node {
namespace {

constexpr const char* json_type = "application/json";
constexpr std::size_t error_body_bytes_max = 64 * 1024;
constexpr Duration close_wait_max = std::chrono::seconds(5);

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

// Chunk after chunk in the body of a reply.
class StreamedChunks final : public ChunkSource {
 public:
  StreamedChunks(std::unique_ptr<net::ResponseStream> stream, const kv::LayoutDigest& layout)
      : stream_(std::move(stream)), assembler_({.layout = layout, .key = {}}, {}) {}

  Result<kv::SharedChunk> next(Deadline deadline) override {
    while (true) {
      if (!unread_.empty()) {
        if (!inside_chunk_) chunk_began_ = std::chrono::steady_clock::now();
        inside_chunk_ = true;
        if (auto chunk = TRY(assembler_.add(unread_))) {
          inside_chunk_ = false;
          return std::make_shared<const kv::Chunk>(*std::move(chunk));
        }
      }
      unread_ = TRY(stream_->read(deadline));
      if (unread_.empty()) {
        TRY(assembler_.finish());
        return kv::SharedChunk();
      }
    }
  }
  Instant chunk_began() const override { return chunk_began_; }

 private:
  std::unique_ptr<net::ResponseStream> stream_;
  kv::ChunkAssembler assembler_;
  ByteSpan unread_;
  bool inside_chunk_ = false;
  Instant chunk_began_{};
};

}  // namespace

Result<engine::JobEvent> Generation::next(Deadline deadline) {
  while (true) {
    if (const auto json = TRY(reader_.next())) return event_from_json(*json);
    const ByteSpan piece = TRY(stream_->read(deadline));
    if (piece.empty()) return fail(Code::unavailable, "the worker ended its answer without a last event");
    TRY(reader_.push(piece));
  }
}

Result<std::span<const float>> ScoredRows::next(Deadline deadline) {
  if (rows_left_ == 0) return std::span<const float>();
  const std::span<std::byte> row = std::as_writable_bytes(std::span(row_));
  for (std::size_t filled = 0; filled < row.size();) {
    if (unread_.empty()) unread_ = TRY(stream_->read(deadline));
    if (unread_.empty()) {
      return fail(Code::unavailable, fmt::format("the worker ended its scores {} rows early", rows_left_));
    }
    const std::size_t count = std::min(unread_.size(), row.size() - filled);
    std::memcpy(row.data() + filled, unread_.data(), count);
    unread_ = unread_.subspan(count);
    filled += count;
  }
  --rows_left_;
  return std::span<const float>(row_);
}

net::ClientRequest WorkerClient::request(std::string method, std::string target,
                                         std::vector<ByteSpan> body, const char* body_type) const {
  net::ClientRequest out{.method = std::move(method), .address = address_, .target = std::move(target),
                         .headers = {}, .body = std::move(body)};
  if (!out.body.empty()) out.headers.add("Content-Type", body_type);
  return out;
}

Result<Json> WorkerClient::call(const net::ClientRequest& request, Deadline deadline,
                                const StopToken& stop) const {
  const net::ClientReply reply = TRY(http_.send(request, deadline, stop));
  if (reply.status == 204) return Json();
  if (reply.status != 200) return std::unexpected(reply_error(reply.status, reply.body_text()));
  return parse_json(reply.body_text());
}

Result<WorkerInfo> WorkerClient::info(Deadline deadline, const StopToken& stop) const {
  const Json json = TRY(call(request("GET", "/v1/info", {}, json_type), deadline, stop));
  return info_from_json(json);
}

Result<Json> WorkerClient::stats(Deadline deadline, const StopToken& stop) const {
  return call(request("GET", "/v1/stats", {}, json_type), deadline, stop);
}

Result<Duration> WorkerClient::pulse(Deadline deadline, const StopToken& stop) const {
  const Json json = TRY(call(request("GET", "/v1/pulse", {}, json_type), deadline, stop));
  const auto step_s = TRY(get<double>(json, "step_s"));
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(step_s));
}

Result<std::vector<Token>> WorkerClient::tokenize(std::string_view text, bool special,
                                                  Deadline deadline, const StopToken& stop) const {
  const std::string body = dump_json(Json::object({{"text", text}, {"special", special}}));
  const Json json =
      TRY(call(request("POST", "/v1/tokenize", {as_byte_span(body)}, json_type), deadline, stop));
  return tokens_from_json(json, "tokens", 0);
}

Result<engine::LeaseInfo> WorkerClient::open_lease(std::span<const Token> prompt, Duration keep,
                                                   Deadline deadline, const StopToken& stop,
                                                   std::string_view adapter) const {
  const auto keep_ms = std::chrono::duration_cast<std::chrono::milliseconds>(keep).count();
  const std::string head = prompt_head(Json::object({{"keep_ms", keep_ms}, {"adapter", adapter}}));
  const Json json = TRY(call(request("POST", "/v1/leases", {as_byte_span(head), std::as_bytes(prompt)},
                                     prompt_type), deadline, stop));
  engine::LeaseInfo out;
  out.lease.value = TRY(get<std::uint64_t>(json, "lease"));
  out.held_tokens = static_cast<std::uint32_t>(TRY(get<std::uint64_t>(json, "held_tokens")));
  return out;
}

Result<> WorkerClient::close_lease(engine::LeaseId lease) const {
  const auto deadline = Deadline::after(close_wait_max);
  TRY(call(request("DELETE", fmt::format("/v1/leases/{}", lease.value), {}, json_type), deadline, {}));
  return {};
}

Result<> WorkerClient::import_chunk(engine::LeaseId lease, const kv::Chunk& chunk,
                                    Deadline deadline, const StopToken& stop,
                                    bool is_foreign) const {
  const Bytes header = kv::encode_header(chunk.header);
  auto put = request("PUT", fmt::format("/v1/leases/{}/chunks", lease.value),
                     {ByteSpan(header), chunk.payload.span()}, chunk_stream_type);
  if (is_foreign) put.headers.add(std::string(foreign_layout_header), chunk.header.layout.hex());
  TRY(call(std::move(put), deadline, stop));
  return {};
}

Result<FilesImported> WorkerClient::import_files(engine::LeaseId lease,
                                                 std::span<const ChunkFile> files,
                                                 Deadline deadline, const StopToken& stop) const {
  const std::string body = dump_json(files_json(files));
  const Json json = TRY(call(request("POST", fmt::format("/v1/leases/{}/files", lease.value),
                                     {as_byte_span(body)}, json_type), deadline, stop));
  return imported_from_json(json);
}

Result<std::unique_ptr<net::ResponseStream>> WorkerClient::open_stream(
    std::string target, const Json& head, std::span<const Token> prompt, Deadline head_deadline,
    const StopToken& stop) const {
  const std::string line = prompt_head(head);
  const auto sent = request("POST", std::move(target), {as_byte_span(line), std::as_bytes(prompt)},
                            prompt_type);
  auto stream = TRY(http_.open_stream(sent, head_deadline, stop));
  if (stream->status() != 200) return std::unexpected(stream_error(*stream, head_deadline));
  return stream;
}

std::unexpected<Error> WorkerClient::not_begun(Error error, const std::optional<engine::LeaseId>& lease) const {
  if (lease) (void)close_lease(*lease);
  return std::unexpected(std::move(error));
}

Result<std::unique_ptr<Generation>> WorkerClient::generate(const engine::GenerateRequest& request,
                                                           Deadline head_deadline,
                                                           const StopToken& stop) const {
  auto stream = open_stream("/v1/generate", generate_json(request), request.prompt, head_deadline, stop);
  if (!stream) return not_begun(std::move(stream.error()), request.lease);
  return std::unique_ptr<Generation>(new Generation(*std::move(stream)));
}

Result<std::unique_ptr<ScoredRows>> WorkerClient::score(const engine::ScoreRequest& request,
                                                        std::uint32_t vocabulary,
                                                        Deadline head_deadline,
                                                        const StopToken& stop) const {
  auto stream = TRY(open_stream("/v1/score", score_json(request), request.tokens, head_deadline, stop));
  const std::size_t rows = request.tokens.size() - request.from;
  return std::unique_ptr<ScoredRows>(new ScoredRows(std::move(stream), rows, vocabulary));
}

Result<std::unique_ptr<ChunkSource>> WorkerClient::prefill(const engine::PrefillRequest& request,
                                                           const kv::ChunkKey& parent,
                                                           const kv::LayoutDigest& layout,
                                                           Deadline head_deadline,
                                                           const StopToken& stop) const {
  Json body = prefill_json(request);
  body.set("parent", parent.hex());
  auto stream = open_stream("/v1/prefill", body, request.prompt, head_deadline, stop);
  if (!stream) return not_begun(std::move(stream.error()), request.lease);
  return std::make_unique<StreamedChunks>(*std::move(stream), layout);
}

Result<std::unique_ptr<ChunkSource>> WorkerClient::export_held(std::span<const Token> tokens,
                                                               const ExportOrder& order,
                                                               Deadline head_deadline,
                                                               const StopToken& stop) const {
  const Json head = Json::object({{"from", order.from}, {"parent", order.parent.hex()},
                                  {"tail_tokens", order.tail_tokens}, {"adapter", order.adapter}});
  auto stream = TRY(open_stream("/v1/exports", head, tokens, head_deadline, stop));
  return std::make_unique<StreamedChunks>(std::move(stream), order.layout);
}

}  // namespace hearth::node
