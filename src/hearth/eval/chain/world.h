#pragma once
// The world of the chain bench: a workshop in which one call leads to the next. Every result carries a
// fresh ticket of seven characters (35 bits) that the next call must show; at set steps a call must
// also show the ticket of three or seven steps before. So nothing can be guessed, and a broken link
// shows at once. Old tickets go on looking valid: using one is its own kind of mistake.
//
// The same seed gives the same world on every machine. Pure; no model and no network.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hearth/chat/message.h"

namespace hearth::eval {

inline constexpr std::uint32_t chain_calls_max = 256;
inline constexpr std::uint32_t distractor_tools_max = 20;
inline constexpr std::uint32_t fill_tokens_max = 1u << 20;

struct ChainOptions {
  std::uint32_t calls = 32;            // a chain that is still right after so many is censored
  std::uint32_t distractor_tools = 0;  // tools that no step needs
  std::uint32_t fill_tokens = 0;  // notes of no use in front of the task, at four bytes a token
  bool injected_error = false;    // the conversation begins with a wrong call and its error
  bool plan_given = true;         // all steps are listed; else each result says the next one
  std::uint32_t retries = 1;      // wrong calls that a step forgives after an error message
};
Result<> check_chain(const ChainOptions& options);
Json chain_options_json(const ChainOptions& options);

struct ChainStep {
  std::string tool;
  std::string item;
  std::uint32_t amount = 0;
  std::uint32_t proof_back = 0;  // how many steps before the proof's ticket was given; 0: no proof
};

class ChainWorld {
 public:
  ChainWorld(std::uint64_t seed, ChainOptions options);  // CHECKs the options

  const ChainOptions& options() const { return options_; }
  std::uint64_t seed() const { return seed_; }
  std::uint32_t calls() const { return options_.calls; }
  const std::vector<chat::Tool>& tools() const {
    return tools_;
  }  // the chain's and the distractors
  // Steps are counted from 0; ticket(0) opens the first one, ticket(k + 1) is the result of step k.
  const ChainStep& step(std::uint32_t index) const { return steps_[index]; }
  const std::string& ticket(std::uint32_t number) const { return tickets_[number]; }
  // Whether it is one of those that were given out before step `index`.
  bool was_given_out(std::string_view ticket, std::uint32_t index) const;

  // Instructions, notes and task; with an injected error the wrong call and what came of it.
  chat::Conversation opening() const;
  chat::ToolCall gold_call(std::uint32_t index) const;
  std::string result(std::uint32_t index) const;  // of the right call

 private:
  std::string instruction(std::uint32_t index) const;

  std::uint64_t seed_;
  ChainOptions options_;
  std::vector<chat::Tool> tools_;
  std::vector<ChainStep> steps_;
  std::vector<std::string> tickets_;
};

// What a tool says when it refuses; worded once.
std::string refusal(std::string_view why);

}  // namespace hearth::eval
