#include "hearth/chat/rendering.h"

#include <algorithm>

namespace hearth::chat {
namespace {

struct Found {
  std::size_t at = std::string_view::npos;
  std::size_t length = 0;
};

// The earliest marker at or after `from`.
Found find_marker(std::string_view text, std::span<const std::string_view> markers,
                  std::size_t from) {
  Found best;
  for (const std::string_view marker : markers) {
    const std::size_t end = best.at == std::string_view::npos
                                ? text.size()
                                : std::min(text.size(), best.at + marker.size());
    const std::size_t at = text.substr(0, end).find(marker, from);
    if (at < best.at) best = {at, marker.size()};
  }
  return best;
}

}  // namespace

std::string Rendering::flat() const {
  std::string out;
  for (const Segment& segment : segments) out += segment.text;
  return out;
}

void SegmentList::markup(std::string_view text) {
  if (text.empty()) return;
  if (segments_.empty() || segments_.back().kind != Segment::Kind::markup) {
    segments_.push_back({Segment::Kind::markup, {}, {}});
  }
  segments_.back().text += text;
}

void SegmentList::append_text(std::string_view text) {
  if (text.empty()) return;
  if (cut_ || segments_.empty() || segments_.back().kind != Segment::Kind::text ||
      makes_marker(segments_.back().text, text)) {
    segments_.push_back({Segment::Kind::text, {}, {}});
  }
  cut_ = false;
  segments_.back().text += text;
}

// Whether joining two texts spells a marker that neither holds alone.
bool SegmentList::makes_marker(std::string_view before, std::string_view after) const {
  for (const std::string_view marker : markers_) {
    for (std::size_t n = 1; n < marker.size(); ++n) {
      if (before.ends_with(marker.substr(0, n)) && after.starts_with(marker.substr(n))) return true;
    }
  }
  return false;
}

void SegmentList::literal(std::string_view text) { append_text(text); }

void SegmentList::wording(std::string_view text) {
  std::size_t done = 0;
  while (true) {
    const Found marker = find_marker(text, markers_, done);
    if (marker.at == std::string_view::npos) break;
    append_text(text.substr(done, marker.at - done));
    markup(text.substr(marker.at, marker.length));
    done = marker.at + marker.length;
  }
  append_text(text.substr(done));
}

void SegmentList::foreign(std::string_view text) {
  std::size_t done = 0;
  while (true) {
    const Found marker = find_marker(text, markers_, done);
    if (marker.at == std::string_view::npos) break;
    append_text(text.substr(done, marker.at + 1 - done));
    cut_ = true;
    done = marker.at + 1;
  }
  append_text(text.substr(done));
  cut_ = false;
}

void SegmentList::tokens(std::span<const Token> ids) {
  segments_.push_back({Segment::Kind::tokens, {}, {ids.begin(), ids.end()}});
}

}  // namespace hearth::chat
