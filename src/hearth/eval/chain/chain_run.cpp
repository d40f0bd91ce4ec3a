#include "hearth/eval/chain/chain_run.h"

#include <fmt/format.h>

#include "hearth/base/check.h"

namespace hearth::eval {
namespace {

// For each step, room to mend it and to talk in between.
constexpr std::uint32_t turns_per_step_max = 4;

CallHistory gold_history(const ChainWorld& world, std::uint32_t depth) {
  CallHistory out{.done = depth};
  for (std::uint32_t i = 0; i < depth; ++i) out.right.push_back(world.gold_call(i));
  if (depth > 0) out.in_a_row = {out.right.back()};
  return out;
}

}  // namespace

Json chain_outcome_json(const ChainOutcome& outcome) {
  Json recovered = Json::object();
  for (const auto& [error, count] : outcome.recovered) {
    recovered.set(std::string(chain_error_name(error)), count);
  }
  return Json::object({{"depth", outcome.depth},
                       {"failed", outcome.failed},
                       {"error", chain_error_name(outcome.error)},
                       {"recovered", std::move(recovered)},
                       {"turns", outcome.turns}});
}

Result<ChainOutcome> chain_outcome_from_json(const Json& json) {
  ChainOutcome out;
  out.depth = TRY(get<std::uint32_t>(json, "depth"));
  out.failed = TRY(get<bool>(json, "failed"));
  out.turns = TRY(get<std::uint32_t>(json, "turns"));
  const auto name = TRY(get<std::string>(json, "error"));
  const auto error = error_of_name(name);
  const Json* recovered = json.find("recovered");
  if (!error || recovered == nullptr || !recovered->is_object()) {
    return fail(Code::corrupt, "a chain's record has an unknown error: " + name);
  }
  out.error = *error;
  for (const auto& [key, value] : recovered->as_object()) {
    const auto one = error_of_name(key);
    if (!one) return fail(Code::corrupt, "a chain's record has an unknown error: " + key);
    out.recovered[*one] = TRY(read_json<std::uint32_t>(value, key));
  }
  return out;
}

ChainRun::ChainRun(const ChainWorld& world) : world_(world), conversation_(world.opening()) {}

void ChainRun::end(ChainError error) {
  done_ = true;
  outcome_.error = error;
  outcome_.failed = error != ChainError::none && error != ChainError::transport;
  outcome_.depth = history_.done + (outcome_.failed ? 1 : 0);
}

void ChainRun::count(ChainError error) {
  mistakes_.push_back(error);
  if (error == ChainError::transport || error == ChainError::loop ||
      mistakes_.size() > world_.options().retries) {
    end(error);
  }
}

void ChainRun::take(ModelTurn turn) {
  CHECK(!done_);
  ++outcome_.turns;
  if (turn.calls.empty() || turn.failed) {
    const ChainError error = grade_words(turn, world_.tools());
    conversation_.messages.push_back({.role = chat::Role::assistant,
                                      .text = std::move(turn.text),
                                      .thinking = std::move(turn.thinking)});
    conversation_.messages.push_back(
        {.role = chat::Role::user,
         .text = "Steps are left. Go on with a call of the tool that is due."});
    count(error);
    return;
  }
  for (std::size_t i = 0; i < turn.calls.size(); ++i) {
    if (turn.calls[i].id.empty()) {
      turn.calls[i].id = fmt::format("call_{}_{}", outcome_.turns, i + 1);
    }
  }
  conversation_.messages.push_back({.role = chat::Role::assistant,
                                    .text = std::move(turn.text),
                                    .thinking = std::move(turn.thinking),
                                    .calls = turn.calls});
  for (chat::ToolCall& call : turn.calls) {
    if (!done_) take_call(std::move(call));
  }
  if (!done_ && outcome_.turns >= turns_per_step_max * world_.calls()) end(ChainError::loop);
}

void ChainRun::take_call(chat::ToolCall call) {
  const ChainError error = grade_call(world_, history_, call);
  conversation_.messages.push_back({.role = chat::Role::tool,
                                    .text = answer_of_tool(world_, history_, error),
                                    .call_id = call.id});
  const bool repeats = !history_.in_a_row.empty() && history_.in_a_row.back().name == call.name &&
                       history_.in_a_row.back().arguments == call.arguments;
  if (!repeats) history_.in_a_row.clear();
  history_.in_a_row.push_back(call);
  if (error != ChainError::none) {
    count(error);
    return;
  }
  history_.right.push_back(std::move(call));
  ++history_.done;
  for (const ChainError mended : mistakes_) ++outcome_.recovered[mended];
  mistakes_.clear();
  if (history_.done == world_.calls()) end(ChainError::none);
}

chat::Conversation forced_conversation(const ChainWorld& world, std::uint32_t depth) {
  CHECK(depth < world.calls());
  chat::Conversation out = world.opening();
  for (std::uint32_t i = 0; i < depth; ++i) {
    chat::ToolCall call = world.gold_call(i);
    const std::string id = call.id;
    out.messages.push_back({.role = chat::Role::assistant, .calls = {std::move(call)}});
    out.messages.push_back({.role = chat::Role::tool, .text = world.result(i), .call_id = id});
  }
  return out;
}

ChainError grade_forced(const ChainWorld& world, std::uint32_t depth, const ModelTurn& turn) {
  if (turn.failed || turn.calls.empty()) return grade_words(turn, world.tools());
  return grade_call(world, gold_history(world, depth), turn.calls.front());
}

}  // namespace hearth::eval
