#include "tests/support/random_answer.h"

namespace hearth::test {

using namespace hearth::gateway;

namespace {

// The tokens behind a text: its bytes in pieces, which may be half characters.
std::vector<TokenChoice> random_choices(Random& random, std::string_view text) {
  std::vector<TokenChoice> out;
  while (!text.empty()) {
    const std::size_t size = 1 + random.below(text.size());
    TokenChoice& made = out.emplace_back();
    made.text = text.substr(0, size);
    made.logprob = -random.uniform();
    for (auto left = random.below(4); left > 0; --left) {
      made.top.emplace_back(std::string(left, 'x'), -random.uniform());
    }
    text.remove_prefix(size);
  }
  return out;
}

AnswerEvent random_event(Random& random) {
  static const std::vector<std::string> pieces = {"", "a", "Grüße ", "\n\n", "{\"", "<think>", "👍",
                                                  "event: ping\ndata: {}\n\n"};
  AnswerEvent out;
  out.text = pieces[random.below(pieces.size())];
  if (random.chance(0.5)) out.choices = random_choices(random, out.text);
  const auto dice = random.below(5);
  if (dice < 2) {
    out.kind = AnswerEvent::Kind::thinking;
  } else if (dice == 4) {
    out = {.kind = AnswerEvent::Kind::call, .text = "{\"text\":\"", .id = "call_1", .name = "now"};
    for (auto left = random.below(4000); left > 0; --left) out.text += random.chance(0.5) ? "é" : "x";
    out.text += "\"}";
    if (random.chance(0.1)) out.text = "{\"city\":";  // must not happen; still no broken stream
  }
  return out;
}

}  // namespace

AnswerEnd random_end(Random& random) {
  AnswerEnd out;
  out.reason = static_cast<AnswerEnd::Reason>(random.below(4));
  if (out.reason == AnswerEnd::Reason::stop_string) out.stop_string = "###";
  out.usage.prompt_tokens = static_cast<std::uint32_t>(random.below(1000));
  out.usage.cached_tokens =
      static_cast<std::uint32_t>(random.below(out.usage.prompt_tokens + std::uint64_t{1}));
  out.usage.answer_tokens = 1 + static_cast<std::uint32_t>(random.below(1000));
  return out;
}

std::vector<WriterStep> random_steps(Random& random) {
  std::vector<WriterStep> out;
  out.push_back({.kind = WriterStep::Kind::begin, .usage = {.prompt_tokens = 9}});
  for (auto left = random.below(20); left > 0; --left) {
    if (random.chance(0.3)) {
      const auto done = static_cast<std::uint32_t>(random.below(10));
      out.push_back({.kind = WriterStep::Kind::heartbeat, .read = {.tokens_done = done, .tokens_total = 9}});
    } else {
      out.push_back({.kind = WriterStep::Kind::event, .event = random_event(random)});
    }
  }
  if (random.chance(0.2)) {
    out.push_back({.kind = WriterStep::Kind::error,
                   .error = {.kind = ApiError::Kind::overloaded, .message = "busy"}});
  } else {
    out.push_back({.kind = WriterStep::Kind::end, .end = random_end(random)});
  }
  return out;
}

}  // namespace hearth::test
