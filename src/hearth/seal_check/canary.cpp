#include "hearth/seal_check/canary.h"

#include <algorithm>
#include <array>

#include "hearth/base/bytes.h"
#include "hearth/base/random.h"

namespace hearth::seal_check {
namespace {

constexpr std::size_t canary_letters = 24;

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

// Of the whole groups of three bytes that begin at `skip`: the same whatever stands around.
std::string base64_inside(std::string_view text, std::size_t skip, std::string_view alphabet) {
  std::string out;
  for (std::size_t i = skip; i + 3 <= text.size(); i += 3) {
    const auto byte = [&](std::size_t k) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i + k])); };
    const std::uint32_t group = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (const int shift : {18, 12, 6, 0}) out += alphabet[(group >> shift) & 63];
  }
  return out;
}

template <class Each>
std::string joined(std::string_view text, Each each) {
  std::string out;
  for (const char c : text) out += each(c);
  return out;
}

struct Form {
  std::string name, bytes;
};

std::vector<Form> forms_of(const std::string& canary) {
  const std::string hex = to_hex(as_byte_span(canary));
  constexpr std::string_view digits = "0123456789abcdef";
  const auto byte_hex = [&](char c) { return std::string{digits[static_cast<unsigned char>(c) >> 4], digits[static_cast<unsigned char>(c) & 15]}; };
  constexpr std::string_view base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<Form> out = {{"plain", canary},
                           {"capitals", upper(canary)},
                           {"hex", hex},
                           {"hex", upper(hex)},
                           {"percent", joined(canary, [&](char c) { return "%" + byte_hex(c); })},
                           {"percent", joined(canary, [&](char c) { return "%" + upper(byte_hex(c)); })},
                           {"json", joined(canary, [&](char c) { return "\\u00" + byte_hex(c); })},
                           {"utf16", joined(canary, [](char c) { return std::string{c, '\0'}; })},
                           {"backwards", {canary.rbegin(), canary.rend()}}};
  for (std::size_t skip = 0; skip < 3; ++skip) out.push_back({"base64", base64_inside(canary, skip, base64)});
  return out;
}

// What is left of an event stream when all but small letters goes: pieces of a word move together.
// Names of fields between them stay; that is why each piece may be as short as the words of a stream
// are long, and a cut word is looked for in the texts of its events alone.
std::string letters_of_texts(std::string_view bytes) {
  std::string out;
  constexpr std::array<std::string_view, 2> fields = {"\"text\":\"", "\"content\":\""};
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t next = bytes.npos, length = 0;
    for (const std::string_view field : fields) {
      const std::size_t found = bytes.find(field, at);
      if (found < next) next = found, length = field.size();
    }
    if (next == bytes.npos) break;
    at = next + length;
    for (; at < bytes.size() && bytes[at] != '"'; ++at) {
      if (bytes[at] >= 'a' && bytes[at] <= 'z') out += bytes[at];
    }
  }
  return out;
}

}  // namespace

std::string make_canary(std::uint64_t seed) {
  Random random(seed);
  std::string out;
  for (std::size_t i = 0; i < canary_letters; ++i) out += static_cast<char>('a' + random.below(26));
  return out;
}

std::optional<Sighting> CanarySearch::find(std::string_view bytes) const {
  std::optional<std::string> letters;
  for (const std::string& canary : canaries_) {
    for (const Form& form : forms_of(canary)) {
      if (bytes.find(form.bytes) != bytes.npos) return Sighting{canary, form.name};
    }
    if (!letters) letters = letters_of_texts(bytes);
    if (letters->find(canary) != letters->npos) return Sighting{canary, "in pieces"};
  }
  return std::nullopt;
}

}  // namespace hearth::seal_check
