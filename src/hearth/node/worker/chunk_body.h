#pragma once
// Exported KV as the body of a reply: chunk after chunk, header and payload in turn, the payload
// straight from the export. Private to the worker's service.

#include <functional>
#include <optional>
#include <vector>

#include "hearth/engine/job.h"
#include "hearth/kv/chunk.h"
#include "hearth/net/http_message.h"

namespace hearth::node {

// The next exported range, in order; nothing: there is no more.
using StateSource = std::function<Result<std::optional<engine::StateDone>>(const StopToken& stop)>;

// What every chunk of one chain is made with.
struct ChunkChain {
  std::vector<Token> tokens;  // from position 0
  model::LayoutDigest layout;
  model::ChunkKey parent;     // of the first chunk
  kv::Provenance provenance;
};

class ChunkBody final : public net::BodySource {
 public:
  ChunkBody(StateSource source, ChunkChain chain)
      : source_(std::move(source)), chain_(std::move(chain)) {}
  Result<ByteSpan> next(const StopToken& stop) override;

 private:
  const StateSource source_;
  ChunkChain chain_;
  kv::Chunk chunk_;
  Bytes header_;
  bool payload_next_ = false;
};

}  // namespace hearth::node
