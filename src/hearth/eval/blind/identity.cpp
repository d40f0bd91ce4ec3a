#include "hearth/eval/blind/identity.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "hearth/base/utf8.h"

namespace hearth::eval {
namespace {

constexpr std::string_view replacement = "the assistant";

// Whole sections that are no part of an answer: thinking, and calls that were left in the text.
struct Section {
  std::string_view begin, end;
};
constexpr std::array sections{
    Section{"<think>", "</think>"},
    Section{"<thinking>", "</thinking>"},
    Section{"\u25c1think\u25b7", "\u25c1/think\u25b7"},
    Section{"<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"},
    Section{"<tool_call>", "</tool_call>"},
};

// Models and makers. They count only where a text speaks of itself.
constexpr std::array names{
    std::string_view("kimi"),    std::string_view("moonshot ai"), std::string_view("moonshot"),
    std::string_view("claude"),  std::string_view("anthropic"),   std::string_view("sonnet"),
    std::string_view("opus"),    std::string_view("haiku"),       std::string_view("chatgpt"),
    std::string_view("openai"),  std::string_view("gpt"),         std::string_view("qwen"),
    std::string_view("alibaba"), std::string_view("tongyi"),      std::string_view("deepseek"),
    std::string_view("llama"),   std::string_view("meta ai"),     std::string_view("gemini"),
    std::string_view("google"),  std::string_view("gemma"),       std::string_view("mistral"),
    std::string_view("grok"),    std::string_view("xai"),         std::string_view("minimax"),
    std::string_view("glm"),     std::string_view("zhipu"),       std::string_view("hearth"),
};

// A sentence with one of these and a name speaks of its writer.
constexpr std::array self_marks{
    std::string_view("i am "),         std::string_view("i'm "),
    std::string_view("i\u2019m "),     std::string_view("my name is "),
    std::string_view("as an ai"),      std::string_view("language model"),
    std::string_view("developed by "), std::string_view("created by "),
    std::string_view("trained by "),   std::string_view("made by "),
    std::string_view("built by "),     std::string_view("call me "),
    std::string_view("ai assistant"),  std::string_view("knowledge cutoff"),
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// A version may follow straight away: "Qwen3".
bool begins_and_ends(std::string_view text, std::size_t at, std::size_t length) {
  const std::size_t end = at + length;
  return (at == 0 || !is_word(text[at - 1])) &&
         (end == text.size() || !is_word(text[end]) || std::isdigit(static_cast<unsigned char>(text[end])) != 0);
}

bool stands_alone(std::string_view text, std::size_t at, std::size_t length) {
  const std::size_t end = at + length;
  return (at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]));
}

void note(Stripped& out, std::string_view what) {
  if (std::ranges::find(out.removed, what) == out.removed.end()) out.removed.emplace_back(what);
}

void remove_sections(Stripped& out) {
  for (const Section& section : sections) {
    for (std::size_t at = 0; (at = out.text.find(section.begin, at)) != std::string::npos;) {
      const std::size_t end = out.text.find(section.end, at);
      const std::size_t after = end == std::string::npos ? out.text.size() : end + section.end.size();
      out.text.erase(at, after - at);
      note(out, section.begin);
    }
    // A template may open the thinking itself, so that the answer holds only its end.
    if (const std::size_t end = out.text.find(section.end); end != std::string::npos) {
      out.text.erase(0, end + section.end.size());
      note(out, section.end);
    }
  }
}

// <|im_end|> and the like: short, without spaces.
void remove_template_tokens(Stripped& out) {
  constexpr std::size_t token_bytes_max = 48;
  for (std::size_t at = 0; (at = out.text.find("<|", at)) != std::string::npos;) {
    const std::size_t end = out.text.find("|>", at + 2);
    if (end == std::string::npos) break;
    const std::string_view inside = std::string_view(out.text).substr(at + 2, end - at - 2);
    if (inside.empty() || inside.size() > token_bytes_max || inside.find_first_of(" \n") != std::string_view::npos) {
      at += 2;
      continue;
    }
    note(out, "<|" + std::string(inside) + "|>");
    out.text.erase(at, end + 2 - at);
  }
}

void replace_word(Stripped& out, const std::string& word) {
  const std::string needle = lower(word);
  std::string low = lower(out.text);
  for (std::size_t at = 0; (at = low.find(needle, at)) != std::string::npos;) {
    if (!stands_alone(low, at, needle.size())) {
      at += needle.size();
      continue;
    }
    out.text.replace(at, needle.size(), replacement);
    low.replace(at, needle.size(), replacement);
    at += replacement.size();
    note(out, word);
  }
}

bool looks_like_id(std::string_view word) {
  return word.size() >= telling_characters_min && word.find_first_of("0123456789-_") != std::string_view::npos;
}

bool speaks_of_itself(std::string_view low_sentence, std::string_view name, std::size_t name_at) {
  if (std::ranges::any_of(self_marks, [&](std::string_view mark) { return low_sentence.contains(mark); })) return true;
  // "As Kimi, I would ..."
  const bool after_as = name_at >= 3 && low_sentence.substr(name_at - 3, 3) == "as ";
  const std::string_view rest = low_sentence.substr(name_at + name.size());
  return after_as && (rest.starts_with(", i") || rest.starts_with(" i "));
}

// The end of the name with its version: "Kimi K2.6", "GPT-4o", "Claude Opus 4.7".
std::size_t end_of_name(std::string_view low, std::size_t end) {
  while (end < low.size()) {
    std::size_t next = end;
    if (low[next] == ' ' || low[next] == '-') ++next;
    std::size_t stop = next;
    while (stop < low.size() &&
           (is_word(low[stop]) || (low[stop] == '.' && stop + 1 < low.size() && is_word(low[stop + 1]))))
      ++stop;
    const std::string_view piece = low.substr(next, stop - next);
    const bool has_digit = std::ranges::any_of(piece, [](unsigned char c) { return std::isdigit(c) != 0; });
    if (!has_digit && std::ranges::find(names, piece) == names.end()) break;
    end = stop;
  }
  return end;
}

std::size_t end_of_sentence(std::string_view text, std::size_t at) {
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n' || c == '!' || c == '?') return at;
    if (c == '.' && at + 1 < text.size() && text[at + 1] == ' ') return at + 1;
  }
  return at;
}

void remove_self_naming(Stripped& out, std::span<const std::string> secrets) {
  std::vector<std::string> all(names.begin(), names.end());
  for (const std::string& secret : secrets) all.push_back(lower(secret));
  std::string low = lower(out.text);
  std::size_t begin = 0;
  while (begin < low.size()) {
    std::size_t end = end_of_sentence(low, begin);
    for (const std::string& name : all) {
      // Within the sentence: a text has as many as it is long.
      for (std::size_t at = begin; !name.empty() && (at = std::string_view(low).substr(0, end).find(name, at)) != std::string::npos;) {
        const std::string_view sentence = std::string_view(low).substr(begin, end - begin);
        if (!begins_and_ends(low, at, name.size()) || !speaks_of_itself(sentence, name, at - begin)) {
          at += name.size();
          continue;
        }
        const std::size_t after = end_of_name(std::string_view(low).substr(0, end), at + name.size());
        note(out, out.text.substr(at, after - at));
        out.text.replace(at, after - at, replacement);
        low.replace(at, after - at, replacement);
        end = end + replacement.size() - (after - at);
        at += replacement.size();
      }
    }
    begin = end + 1;
  }
}

std::string normalised(std::string_view text) {
  std::string out;
  std::size_t empty_lines = 0;
  for (std::size_t at = 0; at <= text.size();) {
    std::size_t end = text.find('\n', at);
    if (end == std::string_view::npos) end = text.size();
    std::string_view line = text.substr(at, end - at);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
    empty_lines = line.empty() ? empty_lines + 1 : 0;
    if (empty_lines < 2) {
      out += line;
      out += '\n';
    }
    at = end + 1;
  }
  const std::size_t first = out.find_first_not_of('\n');
  if (first == std::string::npos) return "";
  return out.substr(first, out.find_last_not_of('\n') + 1 - first);
}

}  // namespace

Stripped strip_identity(std::string_view text, std::span<const std::string> secrets) {
  Stripped out{.text = replace_invalid_utf8(text), .removed = {}};
  remove_sections(out);
  remove_template_tokens(out);
  for (const std::string& secret : secrets) {
    if (looks_like_id(secret)) replace_word(out, secret);
  }
  remove_self_naming(out, secrets);
  out.text = normalised(out.text);
  return out;
}

}  // namespace hearth::eval
