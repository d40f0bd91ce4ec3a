#pragma once
// One worker, as its callers see it: typed calls over its HTTP interface (worker_api.h).
// Thread-safe. Every call ends by its deadline; `unavailable` means that the worker is gone.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/stop.h"
#include "hearth/kv/chunk.h"
#include "hearth/kv/store.h"
#include "hearth/net/http_client.h"
#include "hearth/net/ndjson.h"
#include "hearth/node/chunk_source.h"
#include "hearth/node/worker/worker_api.h"

namespace hearth::node {

// The events of one answer. Dropping it cancels the answer. One thread at a time.
class Generation {
 public:
  // After Finished or Error there is no more.
  Result<engine::JobEvent> next(Deadline deadline);

 private:
  friend class WorkerClient;
  explicit Generation(std::unique_ptr<net::ResponseStream> stream) : stream_(std::move(stream)) {}
  std::unique_ptr<net::ResponseStream> stream_;
  net::NdjsonReader reader_;
};

// The rows of one scored text. Dropping it cancels the work. One thread at a time.
class ScoredRows {
 public:
  // The next row, valid until the next call; empty after the last one.
  Result<std::span<const float>> next(Deadline deadline);

 private:
  friend class WorkerClient;
  ScoredRows(std::unique_ptr<net::ResponseStream> stream, std::size_t rows, std::size_t vocabulary)
      : stream_(std::move(stream)), rows_left_(rows), row_(vocabulary) {}
  std::unique_ptr<net::ResponseStream> stream_;
  std::size_t rows_left_;
  std::vector<float> row_;
  ByteSpan unread_;
};

// Which chunks are wanted.
struct ExportOrder {
  std::uint32_t from = 0;  // the position where the first begins
  kv::ChunkKey parent;     // of what comes before
  kv::LayoutDigest layout;
  std::string adapter{};   // the adapter set of that layout
  std::uint32_t tail_tokens = 0;  // behind the whole chunks, pieces of so many; 0: none
};

class WorkerClient {
 public:
  // `http` must outlive this.
  WorkerClient(net::HttpClient& http, net::Address address) : http_(http), address_(std::move(address)) {}

  Result<WorkerInfo> info(Deadline deadline, const StopToken& stop) const;
  Result<Json> stats(Deadline deadline, const StopToken& stop) const;
  // How long the engine has been in its present step; the answer does not wait for it.
  Result<Duration> pulse(Deadline deadline, const StopToken& stop) const;
  Result<std::vector<Token>> tokenize(std::string_view text, bool special, Deadline deadline,
                                      const StopToken& stop) const;
  Result<engine::LeaseInfo> open_lease(std::span<const Token> prompt, Duration keep,
                                       Deadline deadline, const StopToken& stop,
                                       std::string_view adapter = {}) const;
  // Waits for a moment only: a busy engine does it when it comes to it.
  Result<> close_lease(engine::LeaseId lease) const;
  // `is_foreign`: the chunk has a layout of its own, and the caller answers for it: another
  // quantisation of the same model.
  Result<> import_chunk(engine::LeaseId lease, const kv::Chunk& chunk, Deadline deadline,
                        const StopToken& stop, bool is_foreign = false) const;
  // Chunk files that the worker can open itself: on the same machine nothing is copied twice. In
  // order, all in one request; a file that fails is part of the result.
  Result<FilesImported> import_files(engine::LeaseId lease, std::span<const ChunkFile> files,
                                     Deadline deadline, const StopToken& stop) const;
  // A lease of the request is closed where this fails.
  Result<std::unique_ptr<Generation>> generate(const engine::GenerateRequest& request,
                                               Deadline head_deadline, const StopToken& stop) const;
  // `vocabulary` is that of info().limits.
  Result<std::unique_ptr<ScoredRows>> score(const engine::ScoreRequest& request,
                                            std::uint32_t vocabulary, Deadline head_deadline,
                                            const StopToken& stop) const;
  // Chunks from request.export_from on; `parent` is the key of what comes before. As generate().
  Result<std::unique_ptr<ChunkSource>> prefill(const engine::PrefillRequest& request,
                                               const kv::ChunkKey& parent,
                                               const kv::LayoutDigest& layout,
                                               Deadline head_deadline, const StopToken& stop) const;
  // Whole chunks of `tokens`, as far as the worker holds them already.
  Result<std::unique_ptr<ChunkSource>> export_held(std::span<const Token> tokens, const ExportOrder& order,
                                                   Deadline head_deadline, const StopToken& stop) const;
  const net::Address& address() const { return address_; }

 private:
  // The request that both ways of sending begin with; the parts of its body stay the caller's.
  net::ClientRequest request(std::string method, std::string target, std::vector<ByteSpan> body,
                             const char* body_type) const;
  Result<Json> call(const net::ClientRequest& request, Deadline deadline, const StopToken& stop) const;
  Result<std::unique_ptr<net::ResponseStream>> open_stream(std::string target, const Json& head,
                                                           std::span<const Token> prompt,
                                                           Deadline head_deadline,
                                                           const StopToken& stop) const;
  std::unexpected<Error> not_begun(Error error, const std::optional<engine::LeaseId>& lease) const;
  net::HttpClient& http_;
  const net::Address address_;
};

}  // namespace hearth::node
