#include "hearth/chat/char_set.h"

#include <algorithm>

namespace hearth::chat {
namespace {

constexpr CharRange surrogates{0xD800, 0xDFFF};

}  // namespace

CharSet normalise(CharSet set) {
  std::sort(set.begin(), set.end(),
            [](const CharRange& a, const CharRange& b) { return a.first < b.first; });
  CharSet out;
  for (const CharRange& range : set) {
    if (!out.empty() && range.first <= out.back().last + 1) {
      out.back().last = std::max(out.back().last, range.last);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

CharSet complement(const CharSet& set) {
  CharSet with_surrogates = set;
  with_surrogates.push_back(surrogates);
  CharSet out;
  char32_t next = 0;
  for (const CharRange& range : normalise(std::move(with_surrogates))) {
    if (range.first > next) out.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= code_point_max) out.push_back({next, code_point_max});
  return out;
}

bool contains(const CharSet& set, char32_t c) {
  return std::any_of(set.begin(), set.end(), [&](const CharRange& range) {
    return c >= range.first && c <= range.last;
  });
}

CharSet intersect(const CharSet& a, const CharSet& b) {
  CharSet out;
  for (const CharRange& x : a) {
    for (const CharRange& y : b) {
      const char32_t first = std::max(x.first, y.first);
      const char32_t last = std::min(x.last, y.last);
      if (first <= last) out.push_back({first, last});
    }
  }
  return normalise(std::move(out));
}

CharSet without(const CharSet& set, char32_t c) {
  return intersect(set, complement({{c, c}}));
}

}  // namespace hearth::chat
