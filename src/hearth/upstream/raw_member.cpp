#include "hearth/upstream/raw_member.h"

#include "hearth/base/check.h"
#include "hearth/base/json.h"

namespace hearth::upstream {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Walks text that is known to be JSON.
class Walk {
 public:
  explicit Walk(std::string_view text) : text_(text) {}

  bool done() const { return at_ >= text_.size(); }
  void skip_space() {
    while (!done() && is_space(text_[at_])) ++at_;
  }
  bool take(char c) {
    skip_space();
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view string() {
    skip_space();
    const std::size_t begin = at_;
    if (!take('"')) return {};
    while (!done() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2u : 1u;
    at_ = std::min(at_ + 1, text_.size());
    return text_.substr(begin, at_ - begin);
  }
  std::string_view value() {
    skip_space();
    const std::size_t begin = at_;
    int depth = 0;
    while (!done()) {
      const char c = text_[at_];
      if (c == '"') {
        string();
        continue;
      }
      if (c == '{' || c == '[') ++depth;
      if (depth == 0 && (c == ',' || c == '}' || c == ']' || is_space(c))) break;
      if (c == '}' || c == ']') --depth;
      ++at_;
    }
    return text_.substr(begin, at_ - begin);
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<std::string_view> raw_member(std::string_view object, std::string_view key) {
  std::optional<std::string_view> out;
  Walk walk(object);
  if (!walk.take('{')) return out;
  while (!walk.take('}') && !walk.done()) {
    const auto name = parse_json(walk.string());
    if (!walk.take(':')) return std::nullopt;
    const std::string_view value = walk.value();
    if (name && name->is_string() && name->as_string() == key) out = value;
    walk.take(',');
  }
  if (out == "null") return std::nullopt;
  return out;
}

std::string with_raw_member(std::string_view object, std::string_view key, std::string_view value) {
  CHECK(object.ends_with('}'));
  std::string out(object.substr(0, object.size() - 1));
  if (out.size() > 1) out += ',';
  out += dump_json(std::string(key));
  out += ':';
  out += value;
  out += '}';
  return out;
}

}  // namespace hearth::upstream
