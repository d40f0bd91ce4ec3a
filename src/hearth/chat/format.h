#pragma once
// A chat format: how one family of models wants conversations written and how it writes its
// answers. Formats are immutable and pure; one may serve many threads.
// docs/chat_formats.md says what each renders and how to add one.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/chat/gbnf.h"
#include "hearth/chat/message.h"
#include "hearth/chat/output_parser.h"
#include "hearth/chat/rendering.h"
#include "hearth/chat/turn_memory.h"

namespace hearth::chat {

struct RenderOptions {
  bool generation_prompt = true;
  bool thinking = true;  // of the turn to come; formats without thinking ignore it
  // Keep the thinking of every turn. Reference templates drop that of finished turns, which
  // changes what was rendered before and so costs the cached prefix: off only for comparison.
  bool preserve_thinking = true;
  // Llama 3 shows a date. The fixed one of its template, because a real one breaks the prefix at
  // midnight.
  std::string date = "26 Jul 2024";
  const TurnMemory* memory = nullptr;  // not owned; may be absent
};

// What the calls of one answer look like, for grammars (constraint.h).
struct CallGrammar {
  std::span<const Tool> tools;           // those that may be called
  std::span<const std::string> arguments;  // one grammar rule for each tool's arguments
  std::size_t first_index = 0;           // calls that the conversation already has
  bool parallel = true;
};

class Format {
 public:
  virtual ~Format() = default;

  virtual std::string_view name() const = 0;
  virtual bool can_think() const = 0;

  // The conversation is arranged (message.h). invalid_argument when this format cannot say it.
  virtual Result<Rendering> render(const Conversation& conversation,
                                   const RenderOptions& options) const = 0;
  virtual std::unique_ptr<OutputParser> make_parser(ParserOptions options) const = 0;

  // All strings that are tokens of this format; the first ones of `end_tokens` end a turn.
  virtual std::span<const std::string_view> markers() const = 0;
  virtual std::span<const std::string_view> end_tokens() const = 0;

  // Grammar of the calls of one answer. It starts with any of what `call_trigger` names.
  virtual Result<std::string> call_section(GbnfBuilder& grammar, const CallGrammar& calls) const = 0;
  // Arguments are raw text between tags, not JSON strings.
  virtual bool raw_string_arguments() const { return false; }
  // Every opening of calls that the format's parser takes.
  struct Trigger {
    // No call without the last of these markers; the others may stand before the first call.
    std::vector<std::string_view> markers;
    std::string pattern;  // without markers: a regular expression whose first group is where calls begin
  };
  virtual Trigger call_trigger() const = 0;
};

// What is known of a model before it runs.
struct ModelHints {
  std::string_view template_text;  // tokenizer.chat_template; may be empty
  std::string_view architecture;   // general.architecture
  std::string_view model_name;     // general.name; may be empty
  // Whether the vocabulary has a token of that text; empty: not known.
  std::function<bool(std::string_view)> has_token;
};

// The markers of a format that are single tokens, for ParserOptions.
std::vector<std::string> single_token_markers(const Format& format, const ModelHints& hints);

// The names that make_format takes, for --chat-format and its error message.
std::span<const std::string_view> format_names();

// not_found for an unknown name; the message lists the known ones.
Result<std::unique_ptr<Format>> make_format(std::string_view name);

// Never fails: what nothing is known of gets ChatML. The template's own text decides first.
std::unique_ptr<Format> choose_format(const ModelHints& hints);

}  // namespace hearth::chat
