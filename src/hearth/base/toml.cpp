#include "hearth/base/toml.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 1
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <functional>
#include <sstream>

#include "hearth/base/utf8.h"

namespace hearth {
namespace {

// Walks over text as TOML's lexer does, as far as quotes and comments go.
class QuoteWalk {
 public:
  explicit QuoteWalk(std::string_view text) : text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;  // a byte order mark may begin a file
  }

  // The first byte beyond ASCII that is in neither; npos: none.
  std::size_t find_bare_character() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) >= 0x80) return at_;
      if (c == '#') at_ = std::min(text_.find('\n', at_), text_.size());
      else if (c == '"' || c == '\'') pass_string(c);
      else ++at_;
    }
    return std::string_view::npos;
  }

 private:
  std::size_t quotes_here(char quote) const { return std::min(text_.find_first_not_of(quote, at_), text_.size()) - at_; }

  void pass_string(char quote) {
    const bool is_long = quotes_here(quote) >= 3;
    at_ += is_long ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (!is_long && c == '\n') return;  // not closed: an error that the parser names
      if (c == '\\' && quote == '"' && at_ + 1 < text_.size() && (is_long || text_[at_ + 1] != '\n')) {
        at_ += 2;
      } else if (c != quote) {
        ++at_;
      } else if (!is_long) {
        ++at_;
        return;
      } else if (const std::size_t closing = quotes_here(quote); closing >= 3) {
        at_ += std::min<std::size_t>(closing, 5);  // two may stand before the closing three
        return;
      } else {
        at_ += closing;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::string place(std::string_view name, std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at);
  const std::string_view line = before.substr(before.rfind('\n') + 1);  // npos + 1 is 0
  return fmt::format("{}:{}:{}", name, std::ranges::count(before, '\n') + 1,
                     std::ranges::count_if(line, std::not_fn(continues_character)) + 1);
}

// toml++ 3.3 has undefined behaviour for some characters outside of quotes, such as U+014D. TOML 1.0 has
// none beyond ASCII there, so such a text is refused before it is parsed.
Result<> check_characters(std::string_view text, std::string_view name) {
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    return fail(Code::invalid_argument, place(name, text, bad) + ": not UTF-8; save the file as UTF-8");
  }
  const std::size_t bad = QuoteWalk(text).find_bare_character();
  if (bad == std::string_view::npos) return {};
  std::size_t end = bad + 1;
  while (end < text.size() && continues_character(text[end])) ++end;
  return fail(Code::invalid_argument,
              fmt::format("{}: '{}' stands outside of quotes, where only ASCII may; put the key or value in quotes",
                          place(name, text, bad), text.substr(bad, end - bad)));
}

Json convert(const toml::node& node, int depth);

Json convert_table(const toml::table& table, int depth) {
  Json lines = Json::object({{"", table.source().begin.line}});
  Json out = Json::object({{std::string(lines_member), nullptr}});
  for (const auto& [key, value] : table) {
    lines.set(std::string(key.str()), key.source().begin.line);
    out.set(std::string(key.str()), convert(value, depth + 1));
  }
  out.set(std::string(lines_member), std::move(lines));
  return out;
}

template <class T>
std::string printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

Json convert(const toml::node& node, int depth) {
  if (depth > json_depth_max) return {};
  if (const auto* table = node.as_table()) return convert_table(*table, depth);
  if (const auto* array = node.as_array()) {
    Json out = Json::array();
    for (const auto& item : *array) out.push(convert(item, depth + 1));
    return out;
  }
  if (const auto* v = node.as_string()) return Json(v->get());
  if (const auto* v = node.as_integer()) return Json(v->get());
  if (const auto* v = node.as_floating_point()) return Json(v->get());
  if (const auto* v = node.as_boolean()) return Json(v->get());
  if (const auto* v = node.as_date()) return Json(printed(v->get()));
  if (const auto* v = node.as_time()) return Json(printed(v->get()));
  if (const auto* v = node.as_date_time()) return Json(printed(v->get()));
  return {};
}

}  // namespace

Result<Json> parse_toml(std::string_view text, std::string_view name) {
  if (text.size() > toml_bytes_max) {
    return fail(Code::invalid_argument, fmt::format("{}: {} bytes; at most {} are read", name,
                                                    text.size(), toml_bytes_max));
  }
  TRY(check_characters(text, name));
  const toml::parse_result parsed = toml::parse(text, name);
  if (!parsed) {
    const auto& error = parsed.error();
    return fail(Code::invalid_argument,
                fmt::format("{}:{}:{}: {}", name, error.source().begin.line,
                            error.source().begin.column, error.description()));
  }
  return convert_table(parsed.table(), 0);
}

std::int64_t toml_line(const Json& table, std::string_view key) {
  const Json* lines = table.find(lines_member);
  const Json* line = lines != nullptr ? lines->find(key) : nullptr;
  return line != nullptr && line->is_integer() ? line->as_integer() : 0;
}

}  // namespace hearth
