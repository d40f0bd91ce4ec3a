#include "hearth/node/worker/chunk_body.h"

#include <utility>

#include "hearth/base/log.h"

namespace hearth::node {

Result<ByteSpan> ChunkBody::next(const StopToken& stop) {
  if (std::exchange(payload_next_, false)) return chunk_.payload.span();
  auto made = source_(stop);
  if (!made) {
    // Whoever reads sees a body that was cut, and cannot be told why.
    if (made.error().code != Code::cancelled) log_warning("an export ended early: " + made.error().message);
    return std::unexpected(std::move(made.error()));
  }
  auto& state = *made;
  if (!state) return ByteSpan{};
  kv::ChunkOrigin origin;
  origin.layout = chain_.layout;
  origin.parent = chain_.parent;
  origin.begin = state->range.begin;
  origin.is_partial = state->is_partial;
  origin.tokens.assign(chain_.tokens.begin() + state->range.begin,
                       chain_.tokens.begin() + state->range.end);
  origin.provenance = chain_.provenance;
  chunk_ = TRY(kv::make_chunk(std::move(origin), std::move(state->blob)));
  chain_.parent = chunk_.header.key;
  header_ = kv::encode_header(chunk_.header);
  payload_next_ = true;
  return ByteSpan(header_);
}

}  // namespace hearth::node
