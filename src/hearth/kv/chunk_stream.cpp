#include "hearth/kv/chunk_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace hearth::kv {
namespace {

ByteSpan take_front(ByteSpan& input, std::uint64_t bytes_max) {
  const std::size_t bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, input.size()));
  const ByteSpan front = input.first(bytes);
  input = input.subspan(bytes);
  return front;
}

}  // namespace

ChunkStreamReader::ChunkStreamReader(Options options) : options_(options) {}

std::unexpected<Error> ChunkStreamReader::fail_for_good(Error error) {
  state_ = State::failed;
  error_ = std::move(error);
  staging_.clear();
  return std::unexpected(*error_);
}

Result<ChunkStreamReader::Event> ChunkStreamReader::next(ByteSpan& input) {
  switch (state_) {
    case State::header: return next_in_header(input);
    case State::payload: return next_in_payload(input);
    case State::failed: break;
  }
  return std::unexpected(*error_);
}

Result<ChunkStreamReader::Event> ChunkStreamReader::next_in_header(ByteSpan& input) {
  for (;;) {
    const auto needed = header_bytes_needed(staging_);
    if (!needed) return fail_for_good(needed.error());
    if (staging_.size() == *needed) break;
    if (input.empty()) return Event(NeedMore{});
    const ByteSpan piece = take_front(input, *needed - staging_.size());
    staging_.insert(staging_.end(), piece.begin(), piece.end());
  }
  auto header = parse_header(staging_);
  if (!header) return fail_for_good(std::move(header).error());
  if (header->payload_bytes > options_.payload_bytes_max) {
    return fail_for_good({Code::resource_exhausted,
                          fmt::format("chunk payload of {} bytes; this receiver takes at most {}",
                                      header->payload_bytes, options_.payload_bytes_max)});
  }
  staging_.clear();
  payload_bytes_ = header->payload_bytes;
  payload_read_ = 0;
  state_ = State::payload;
  return Event(HeaderRead{*std::move(header)});
}

Result<ChunkStreamReader::Event> ChunkStreamReader::next_in_payload(ByteSpan& input) {
  if (payload_bytes_left() == 0) {
    state_ = State::header;
    return Event(ChunkEnd{});
  }
  if (input.empty()) return Event(NeedMore{});
  const std::uint64_t offset = payload_read_;
  const ByteSpan bytes = take_front(input, payload_bytes_left());
  payload_read_ += bytes.size();
  return Event(PayloadRead{offset, bytes});
}

Result<> ChunkStreamReader::finish() const {
  if (state_ == State::failed) return std::unexpected(*error_);
  if (state_ == State::header && staging_.empty()) return {};
  if (state_ == State::payload && payload_bytes_left() == 0) return {};
  return fail(Code::corrupt,
              state_ == State::header
                  ? fmt::format("the stream ends inside a chunk header, after {} bytes of it",
                                staging_.size())
                  : fmt::format("the stream ends inside a chunk: {} of {} payload bytes came",
                                payload_read_, payload_bytes_));
}

Result<Chunk> split_chunk(Buffer body) {
  Chunk chunk;
  chunk.header = TRY(parse_header(std::as_const(body).span()));
  body.drop_front(header_bytes(chunk.header));
  chunk.payload = std::move(body);
  return chunk;
}

Result<std::optional<Chunk>> ChunkAssembler::add(ByteSpan& input) {
  for (;;) {
    auto event = TRY(reader_.next(input));
    if (std::holds_alternative<ChunkStreamReader::NeedMore>(event)) return std::optional<Chunk>();
    if (auto* read = std::get_if<ChunkStreamReader::HeaderRead>(&event)) {
      // Before any memory is spent on the payload.
      if (const auto fault = find_header_fault(read->header, expected_)) {
        return std::unexpected(fault_error(*fault, read->header, expected_));
      }
      chunk_.payload = TRY(Buffer::create(static_cast<std::size_t>(read->header.payload_bytes)));
      chunk_.header = std::move(read->header);
    } else if (const auto* piece = std::get_if<ChunkStreamReader::PayloadRead>(&event)) {
      std::memcpy(chunk_.payload.data() + piece->offset, piece->bytes.data(), piece->bytes.size());
    } else {
      TRY(verify_chunk(chunk_.header, std::as_const(chunk_.payload).span(), expected_));
      return std::optional<Chunk>(std::exchange(chunk_, Chunk{}));
    }
  }
}

}  // namespace hearth::kv
