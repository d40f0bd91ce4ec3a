#include "hearth/fetch/download_state.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/check.h"

namespace hearth::fetch {

Result<DownloadState> DownloadState::begin(FileVersion version, std::uint64_t piece_bytes) {
  if (version.size_bytes == 0) return fail(Code::invalid_argument, "the file on the server is empty");
  if (piece_bytes < piece_bytes_min) {
    return fail(Code::invalid_argument, fmt::format("pieces of {} bytes; at least {}", piece_bytes, piece_bytes_min));
  }
  const std::uint64_t count = (version.size_bytes - 1) / piece_bytes + 1;
  if (count > pieces_max) {
    return fail(Code::resource_exhausted, fmt::format("the server says {} bytes; at most {} can be downloaded",
                                                     version.size_bytes, pieces_max * piece_bytes));
  }
  return DownloadState(std::move(version), piece_bytes, count);
}

Piece DownloadState::piece(std::uint64_t number) const {
  const std::uint64_t offset = number * piece_bytes_;
  return {number, offset, std::min(piece_bytes_, version_.size_bytes - offset)};
}

std::uint64_t DownloadState::bytes_done() const {
  const bool last_is_there = done_.back();
  return done_count_ * piece_bytes_ - (last_is_there ? piece_bytes_ - piece(done_.size() - 1).bytes : 0);
}

std::optional<Piece> DownloadState::take() {
  if (!returned_.empty()) {
    const std::uint64_t number = *returned_.begin();
    returned_.erase(returned_.begin());
    return piece(number);
  }
  while (next_ < done_.size() && done_[next_]) ++next_;
  if (next_ == done_.size()) return std::nullopt;
  return piece(next_++);
}

void DownloadState::complete(const Piece& piece) {
  CHECK(piece.number < done_.size() && !done_[piece.number]);
  done_[piece.number] = true;
  ++done_count_;
}

void DownloadState::give_back(const Piece& piece) {
  CHECK(piece.number < next_ && !done_[piece.number]);
  returned_.insert(piece.number);
}

// Runs of pieces that are there: [first, count, first, count, …].
Json DownloadState::json() const {
  Json runs = Json::array();
  for (std::uint64_t i = 0; i < done_.size();) {
    if (!done_[i]) {
      ++i;
      continue;
    }
    std::uint64_t end = i;
    while (end < done_.size() && done_[end]) ++end;
    runs.push(i);
    runs.push(end - i);
    i = end;
  }
  return Json::object({{"size_bytes", version_.size_bytes},
                       {"etag", version_.etag},
                       {"piece_bytes", piece_bytes_},
                       {"done", std::move(runs)}});
}

Result<DownloadState> DownloadState::parse(std::string_view text) {
  const auto bad = [](const std::string& what) { return fail(Code::corrupt, "state of a download: " + what); };
  const auto json = parse_json(text);
  if (!json) return bad(json.error().message);
  const auto size = get<std::uint64_t>(*json, "size_bytes");
  const auto etag = get<std::string>(*json, "etag");
  const auto piece_bytes = get<std::uint64_t>(*json, "piece_bytes");
  const Json* runs = json->find("done");
  if (!size || !etag || !piece_bytes || runs == nullptr || !runs->is_array() || runs->as_array().size() % 2 != 0) {
    return bad("size_bytes, etag, piece_bytes and pairs in done expected");
  }
  auto state = begin({.size_bytes = *size, .etag = *etag}, *piece_bytes);
  if (!state) return bad(state.error().message);
  std::uint64_t at = 0;
  const auto& items = runs->as_array();
  for (std::size_t i = 0; i < items.size(); i += 2) {
    const auto first = read_json<std::uint64_t>(items[i], "done");
    const auto count = read_json<std::uint64_t>(items[i + 1], "done");
    const std::uint64_t pieces = state->done_.size();
    if (!first || !count || *first < at || *first >= pieces || *count == 0 || *count > pieces - *first) {
      return bad("pieces that the file does not have");
    }
    at = *first + *count;
    for (std::uint64_t number = *first; number < at; ++number) state->complete(state->piece(number));
  }
  return state;
}

}  // namespace hearth::fetch
