#include "hearth/chat/gbnf.h"

#include <fmt/format.h>

#include "hearth/base/check.h"

namespace hearth::chat {
namespace {

// Repetitions up to this are left to libllama; larger ones are built from blocks.
constexpr std::uint64_t direct_repeats_max = 128;

std::string class_char(char32_t c) {
  if (c > 0xFFFF) return fmt::format("\\U{:08X}", static_cast<std::uint32_t>(c));
  if (c > 0x7E) return fmt::format("\\u{:04X}", static_cast<std::uint32_t>(c));
  const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  if (plain) return std::string(1, static_cast<char>(c));
  return fmt::format("\\x{:02X}", static_cast<std::uint32_t>(c));
}

std::string times(std::uint64_t min, std::optional<std::uint64_t> max) {
  if (min == 0 && !max) return "*";
  if (min == 1 && !max) return "+";
  if (min == 0 && *max == 1) return "?";
  if (!max) return fmt::format("{{{},}}", min);
  if (min == *max) return min == 1 ? "" : fmt::format("{{{}}}", min);
  return fmt::format("{{{},{}}}", min, *max);
}

// Smallest block with block * block >= count.
std::uint64_t block_size(std::uint64_t count) {
  std::uint64_t block = 1;
  while (block * block < count) ++block;
  return block;
}

}  // namespace

std::string gbnf_literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02X}", static_cast<unsigned>(byte));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string gbnf_class(const CharSet& set) {
  CHECK(!set.empty());
  std::string out = "[";
  for (const CharRange& range : set) {
    out += class_char(range.first);
    if (range.last != range.first) out += "-" + class_char(range.last);
  }
  return out + "]";
}

std::string GbnfBuilder::add(std::string_view hint, std::string body) {
  if (const auto known = name_of_body_.find(body); known != name_of_body_.end()) {
    return known->second;
  }
  std::string name = reserve(hint);
  name_of_body_[body] = name;
  define(name, std::move(body));
  return name;
}

std::string GbnfBuilder::reserve(std::string_view hint) {
  std::string name;
  for (const char c : hint) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    name += plain ? c : '-';
  }
  name = fmt::format("{}-{}", name.substr(0, 24), rules_.size());
  index_of_[name] = rules_.size();
  rules_.push_back({name, {}});
  return name;
}

void GbnfBuilder::define(const std::string& name, std::string body) {
  bytes_ += name.size() + body.size();
  if (bytes_ > bytes_max) body.clear();  // `text` refuses; do not hoard
  rules_[index_of_.at(name)].body = std::move(body);
}

std::string GbnfBuilder::marker(std::string_view text) const {
  if (const auto id = token_id_ ? token_id_(text) : std::nullopt) return fmt::format("<[{}]>", *id);
  return gbnf_literal(text);
}

std::string GbnfBuilder::repeat(const std::string& unit, std::uint64_t min,
                                std::optional<std::uint64_t> max) {
  if (min > repeats_max) return {};
  if (max && *max > repeats_max) max = repeats_max;
  if (max && *max == 0) return "\"\"";
  const std::string rule = add("unit", unit);
  if (min <= direct_repeats_max && (!max || *max <= direct_repeats_max)) {
    return rule + times(min, max);
  }
  std::string out;
  if (min > 0) {
    const std::uint64_t size = block_size(min);
    const std::string block = add("block", rule + times(size, size));
    out = block + times(min / size, min / size);
    if (min % size > 0) out += " " + rule + times(min % size, min % size);
  }
  if (!max) return out.empty() ? rule + "*" : out + " " + rule + "*";
  const std::uint64_t more = *max - min;
  if (more == 0) return out;
  if (!out.empty()) out += " ";
  if (more <= direct_repeats_max) return out + rule + times(0, more);
  // Whole blocks, then what may be left over: every count from 0 to `more`, none beyond.
  const std::uint64_t size = block_size(more);
  const std::string block = add("block", rule + times(size, size));
  return out + block + times(0, more / size - 1) + " " + rule + times(0, size + more % size);
}

Result<std::string> GbnfBuilder::text(const std::string& root_body) const {
  if (rules_.size() > rules_max || bytes_ > bytes_max) {
    return fail(Code::resource_exhausted,
                fmt::format("the schemas of this request make a grammar of {} rules and {} bytes; "
                            "at most {} and {} are allowed: use fewer tools or simpler schemas",
                            rules_.size(), bytes_, rules_max, bytes_max));
  }
  std::string out = "root ::= " + root_body + "\n";
  for (const Rule& rule : rules_) out += rule.name + " ::= " + rule.body + "\n";
  return out;
}

}  // namespace hearth::chat
