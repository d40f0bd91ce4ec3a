#pragma once
// What a format makes of a conversation: a list of segments to be tokenised one by one.
// Control tokens come from markup segments only, so nothing that a client, a file or a web page
// says can pose as another role. Values; pure.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/model/token.h"

namespace hearth::chat {

struct Segment {
  enum class Kind : std::uint8_t {
    markup,  // the format's own control tokens: tokenise with parse_special = true
    text,    // tokenise with parse_special = false
    tokens,  // ids of a remembered turn, to be used as they are
  };
  Kind kind = Kind::text;
  std::string text;                  // of tokens: empty
  std::vector<Token> tokens;  // of tokens only

  bool operator==(const Segment&) const = default;
};

struct Rendering {
  std::vector<Segment> segments;
  // The generation prompt has opened a thinking block: the model's output starts inside it.
  bool thinking_open = false;
  std::size_t turns_remembered = 0;  // assistant turns whose sampled tokens were used again
  std::size_t turns_rendered = 0;    // assistant turns written anew
  // Tool types that had to be declared as `any` (Kimi K2.5 and later); worth a metric.
  std::size_t types_degraded = 0;

  // All text in order, remembered turns left out: what a reference template would print.
  std::string flat() const;
};

// Collects segments. Text next to text becomes one segment, so that a tokenizer sees what it would
// see in the reference prompt. `foreign` text that spells one of the markers is cut inside it:
// tokenizers take some added tokens (<think>, <tool_call>) even with parse_special = false.
class SegmentList {
 public:
  explicit SegmentList(std::span<const std::string_view> markers) : markers_(markers) {}

  void markup(std::string_view text);
  void literal(std::string_view text);
  // Wording of the format that names markers: those become markup, the rest text.
  void wording(std::string_view text);
  void foreign(std::string_view text);
  void tokens(std::span<const Token> ids);
  std::vector<Segment> take() { return std::move(segments_); }

 private:
  void append_text(std::string_view text);
  bool makes_marker(std::string_view before, std::string_view after) const;

  std::span<const std::string_view> markers_;
  std::vector<Segment> segments_;
  bool cut_ = false;  // the next text starts a segment of its own
};

}  // namespace hearth::chat
