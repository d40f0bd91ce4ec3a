#pragma once
// The worker's routes over one EngineThread. No sockets here: hand the router to an HttpServer.
//
// The service must outlive the server that calls its routes, and the engine thread the service.

#include "hearth/engine/engine_thread.h"
#include "hearth/kv/chunk.h"
#include "hearth/net/http_router.h"
#include "hearth/node/worker/chunk_body.h"
#include "hearth/node/worker/worker_api.h"

namespace hearth::node {

class WorkerService {
 public:
  // `producer` names this worker in the chunks it makes.
  WorkerService(engine::EngineThread& engine, WorkerInfo info, std::string producer);

  net::Router routes();

 private:
  // A verified chunk on its way into the engine; shared with the engine thread, which may still
  // be reading it when the caller has given up.
  struct Import {
    kv::ChunkHeader header;
    Buffer bytes;
    std::size_t payload_offset = 0;
    ByteSpan payload() const { return bytes.span().subspan(payload_offset); }
  };

  Result<net::Response> tokenize(const net::Request& request) const;
  Result<net::Response> detokenize(const net::Request& request) const;
  Result<net::Response> open_lease(const net::Request& request);
  Result<net::Response> import_body(net::Request& request, const net::PathParams& params);
  Result<net::Response> import_files(const net::Request& request, const net::PathParams& params);
  Result<net::Response> import_chunk(engine::LeaseId lease, std::shared_ptr<const Import> import,
                                     engine::StateOrigin origin);
  Result<net::Response> generate(const net::Request& request);
  Result<net::Response> prefill(const net::Request& request);
  Result<net::Response> score(const net::Request& request);
  Result<net::Response> exports(const net::Request& request);
  // `head` is of a request for chunks from position `from` on.
  Result<ChunkChain> chain_from(const Json& head, std::uint32_t from, std::vector<Token> tokens) const;
  Result<net::Response> stats();
  Result<PromptBody> read_body(const net::Request& request) const;
  std::unexpected<Error> kv_is_off(std::string_view what) const;

  engine::EngineThread& engine_;
  const WorkerInfo info_;
  const WorkerLayouts layouts_;  // empty: no KV goes in or out
  const kv::Provenance provenance_;
};

}  // namespace hearth::node
