#include "hearth/base/utf8.h"

#include <algorithm>

namespace hearth {
namespace {

// What a lead byte promises: how many bytes, and the range of the second one, which excludes
// overlong forms, surrogates and everything beyond U+10FFFF (Unicode 15, table 3-7).
struct Lead {
  std::size_t length = 0;  // 0 = not a lead byte
  unsigned char second_min = 0x80;
  unsigned char second_max = 0xBF;
};

Lead lead_of(unsigned char c) {
  if (c < 0x80) return {1};
  if (c >= 0xC2 && c <= 0xDF) return {2};
  if (c == 0xE0) return {3, 0xA0, 0xBF};
  if (c == 0xED) return {3, 0x80, 0x9F};
  if (c >= 0xE1 && c <= 0xEF) return {3};
  if (c == 0xF0) return {4, 0x90, 0xBF};
  if (c >= 0xF1 && c <= 0xF3) return {4};
  if (c == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

// How many bytes at `at` are valid so far as one character: all of `lead.length`, or fewer.
std::size_t valid_bytes(std::string_view text, std::size_t at, const Lead& lead) {
  std::size_t good = 1;
  while (good < lead.length && at + good < text.size()) {
    const auto c = static_cast<unsigned char>(text[at + good]);
    const auto low = good == 1 ? lead.second_min : 0x80;
    const auto high = good == 1 ? lead.second_max : 0xBF;
    if (c < low || c > high) break;
    ++good;
  }
  return good;
}

}  // namespace

std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Lead lead = lead_of(static_cast<unsigned char>(text[at]));
    if (lead.length == 0 || valid_bytes(text, at, lead) != lead.length) return at;
    at += lead.length;
  }
  return std::string_view::npos;
}

bool is_valid_utf8(std::string_view text) {
  return find_invalid_utf8(text) == std::string_view::npos;
}

std::string replace_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t bad = find_invalid_utf8(text);
    if (bad == std::string_view::npos) return out.append(text);
    out.append(text.substr(0, bad)).append("\xEF\xBF\xBD");
    text.remove_prefix(bad + 1);
  }
  return out;
}

std::size_t complete_utf8_prefix(std::string_view text) {
  const std::size_t reach = std::min<std::size_t>(3, text.size());
  for (std::size_t back = 1; back <= reach; ++back) {
    const std::size_t at = text.size() - back;
    const Lead lead = lead_of(static_cast<unsigned char>(text[at]));
    if (lead.length == 0) continue;  // a continuation byte: look further back
    const bool unfinished = lead.length > back && valid_bytes(text, at, lead) == back;
    return unfinished ? at : text.size();
  }
  return text.size();
}

bool Utf8Walk::step(unsigned char byte) {
  if (missing_ > 0) {
    if (byte < low_ || byte > high_) return false;
    --missing_;
    low_ = 0x80;
    high_ = 0xBF;
    return true;
  }
  if (byte < 0x80) return true;
  if (byte < 0xC2 || byte > 0xF4) return false;
  missing_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  if (byte == 0xE0) low_ = 0xA0;
  if (byte == 0xED) high_ = 0x9F;
  if (byte == 0xF0) low_ = 0x90;
  if (byte == 0xF4) high_ = 0x8F;
  return true;
}

bool Utf8Walk::admits(std::string_view bytes) const {
  Utf8Walk walk = *this;
  for (const char byte : bytes) {
    if (!walk.step(static_cast<unsigned char>(byte))) return false;
  }
  return true;
}

void Utf8Walk::take(std::string_view bytes) {
  for (const char byte : bytes) {
    if (!step(static_cast<unsigned char>(byte))) *this = {};
  }
}

}  // namespace hearth
