#include "hearth/eval/grading/extract.h"

#include <algorithm>
#include <vector>

namespace hearth::eval {
namespace {

constexpr std::string_view spaces = " \t\r\n";
constexpr std::string_view marks = " \t\r\n*_`\"'";

std::string_view trimmed(std::string_view text, std::string_view what = spaces) {
  const std::size_t first = text.find_first_not_of(what);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(what) - first + 1);
}

char small(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool begins_with_any_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::ranges::equal(text.substr(0, prefix.size()), prefix, {}, small, small);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (true) {
    const std::size_t end = text.find('\n');
    out.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

// Texts between lines that begin with ``` or ~~~; an open one lasts to the end.
std::vector<std::string> fenced_blocks(std::string_view text) {
  std::vector<std::string> out;
  std::string_view fence;
  for (const std::string_view line : lines_of(text)) {
    const std::string_view bare = trimmed(line);
    if (fence.empty() && (bare.starts_with("```") || bare.starts_with("~~~"))) {
      fence = bare.substr(0, 3);
      out.emplace_back();
    } else if (!fence.empty() && bare.starts_with(fence) && bare.find_first_not_of(fence[0]) == std::string_view::npos) {
      fence = {};
    } else if (!fence.empty()) {
      out.back().append(line).push_back('\n');
    }
  }
  return out;
}

bool defines(std::string_view code, std::string_view function) {
  for (const std::string_view line : lines_of(code)) {
    for (const std::string_view word : {"def ", "class ", "async def "}) {
      if (!line.starts_with(word)) continue;
      const std::string_view rest = line.substr(word.size());
      if (rest.starts_with(function) && rest.size() > function.size() && (rest[function.size()] == '(' || rest[function.size()] == ':')) return true;
    }
  }
  return false;
}

// From the last line that begins a value to the end of that value: closing brackets are tried from the end.
std::optional<Json> bare_json(std::string_view text) {
  constexpr int tries_max = 64;
  int tries = 0;
  for (std::size_t start = text.size(); start-- > 0;) {
    const bool begins_line = start == 0 || text[start - 1] == '\n';
    if (!begins_line || (text[start] != '{' && text[start] != '[')) continue;
    for (std::size_t end = text.size(); end > start && ++tries <= tries_max; --end) {
      end = text.find_last_of("}]", end - 1);
      if (end == std::string_view::npos || end < start) break;
      if (auto found = parse_json(text.substr(start, ++end - start))) return *found;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> declared_answer(std::string_view answer) {
  std::optional<std::string> out;
  for (const std::string_view line : lines_of(answer)) {
    std::string_view rest = trimmed(line, " \t\r#>*_-");
    if (begins_with_any_case(rest, "final answer")) rest.remove_prefix(6);
    if (!begins_with_any_case(rest, "answer")) continue;
    rest = trimmed(rest.substr(6), " \t*_");
    if (!rest.starts_with(':')) continue;
    const std::string_view value = trimmed(rest.substr(1), marks);
    if (!value.empty()) out = std::string(value);
  }
  return out;
}

std::optional<Json> declared_json(std::string_view answer) {
  const std::vector<std::string> blocks = fenced_blocks(answer);
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    if (auto found = parse_json(trimmed(*block))) return *found;
  }
  if (auto found = parse_json(trimmed(answer))) return *found;
  return bare_json(answer);
}

std::optional<std::string> declared_code(std::string_view answer, std::string_view function) {
  std::vector<std::string> blocks = fenced_blocks(answer);
  for (auto block = blocks.rbegin(); block != blocks.rend(); ++block) {
    if (defines(*block, function)) return *block;
  }
  if (!blocks.empty()) return blocks.back();
  if (defines(answer, function)) return std::string(answer);
  return std::nullopt;
}

std::string normal_text(std::string_view text) {
  text = trimmed(text, marks);
  if (text.ends_with('.')) text = trimmed(text.substr(0, text.size() - 1), marks);
  std::string out;
  for (const char c : text) {
    if (spaces.find(c) == std::string_view::npos) {
      out += small(c);
    } else if (!out.ends_with(' ')) {
      out += ' ';
    }
  }
  return out;
}

}  // namespace hearth::eval
