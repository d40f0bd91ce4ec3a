#include "hearth/eval/study/chain_study.h"

#include <fmt/format.h>

#include "hearth/base/random.h"

namespace hearth::eval {
namespace {

constexpr std::string_view kind_free = "free", kind_forced = "forced";

std::string record_key(std::string_view cell, std::string_view kind, std::uint64_t seed,
                       std::uint32_t depth) {
  return Blake2b()
      .update_sized(cell)
      .update_sized(kind)
      .update_number(seed)
      .update_number(depth)
      .finish()
      .hex();
}

// The service itself is at fault, or out of reach: nothing was learnt about the model.
bool may_be_asked_later(const chat::ApiError& error) {
  using Kind = chat::ApiError::Kind;
  switch (error.kind) {
    case Kind::invalid_request:
    case Kind::too_large:
    case Kind::prompt_too_long:
    case Kind::bad_upstream: return false;
    default: return true;
  }
}

class ChainAsker {
 public:
  ChainAsker(const Arm& arm, const ChainPlan& plan, const TurnSource& source, const StopToken& stop)
      : arm_(arm), plan_(plan), source_(source), stop_(stop) {}

  Result<ModelTurn> ask(const chat::Conversation& conversation, std::uint64_t seed,
                        std::uint32_t turn) const {
    const chat::ChatRequest request =
        chain_request(arm_, conversation, plan_.turn_tokens_max, seed, turn);
    for (std::uint32_t tries = 1;; ++tries) {
      auto answer = source_(request, stop_);
      if (answer) return *std::move(answer);
      if (stop_.stop_requested()) {
        return fail(Code::cancelled, "stopped; the same command goes on from here");
      }
      if (const auto pause = pause_before_retry(answer.error(), tries, plan_.retry)) {
        if (stopped_while_waiting(stop_, Deadline::after(*pause))) {
          return fail(Code::cancelled, "stopped; the same command goes on from here");
        }
        continue;
      }
      if (!may_be_asked_later(answer.error())) return ModelTurn{.failed = true};
      return fail(
          Code::unavailable,
          fmt::format("arm {}: {} ({} tries); finished chains are kept, the same command goes on",
                      arm_.name, answer.error().message, tries));
    }
  }

  Result<ChainOutcome> free_chain(const ChainWorld& world) const {
    ChainRun run(world);
    for (std::uint32_t turn = 0; !run.done(); ++turn) {
      run.take(TRY(ask(run.conversation(), world.seed(), turn)));
    }
    return run.outcome();
  }

  Result<ChainError> forced_call(const ChainWorld& world, std::uint32_t depth) const {
    const ModelTurn turn = TRY(ask(forced_conversation(world, depth), world.seed(), depth));
    return grade_forced(world, depth, turn);
  }

 private:
  const Arm& arm_;
  const ChainPlan& plan_;
  const TurnSource& source_;
  const StopToken& stop_;
};

chat::ToolCall call_of(const chat::AnswerEvent& event) {
  chat::ToolCall out{.id = event.id, .name = event.name};
  if (auto arguments = parse_json(event.text); arguments && arguments->is_object()) {
    out.arguments = *std::move(arguments);
    chat::restore_unparsed_input(out);
  } else {
    out.raw_arguments = event.text;
  }
  return out;
}

}  // namespace

TurnSource turns_of(upstream::Endpoint& endpoint) {
  return [&endpoint](const chat::ChatRequest& request,
                     const StopToken& stop) -> chat::ApiResult<ModelTurn> {
    auto stream = endpoint.ask(request, Deadline::never(), stop);
    if (!stream) return std::unexpected(std::move(stream).error());
    const auto whole = upstream::read_whole(**stream, Deadline::never());
    if (!whole) return std::unexpected(whole.error());
    ModelTurn out{.text = whole->text()};
    for (const upstream::Arrival& arrival : whole->arrivals) {
      const auto* piece = std::get_if<upstream::Piece>(&arrival.what);
      if (piece == nullptr) continue;
      if (piece->event.kind == chat::AnswerEvent::Kind::thinking) out.thinking += piece->event.text;
      if (piece->event.kind == chat::AnswerEvent::Kind::call) {
        out.calls.push_back(call_of(piece->event));
      }
    }
    return out;
  };
}

chat::ChatRequest chain_request(const Arm& arm, const chat::Conversation& conversation,
                                std::uint32_t tokens_max, std::uint64_t world_seed,
                                std::uint32_t turn) {
  chat::ChatRequest out;
  out.model = arm.endpoint.model;
  out.conversation = conversation;
  out.thinking = arm.thinking;
  out.tokens_max = tokens_max + arm.thinking_tokens;
  out.sampling.temperature = arm.temperature;
  out.sampling.top_p = arm.top_p;
  out.sampling.min_p = arm.min_p;
  if (arm.top_k) out.sampling.top_k = static_cast<int>(*arm.top_k);
  if (arm.seed) {
    Random random(*arm.seed + world_seed * 1'000'003 + turn);
    out.sampling.seed =
        static_cast<std::uint32_t>(random.below(1u << 31));  // some services take no more
  }
  out.stream = true;
  return out;
}

std::string chain_cell(const Arm& arm, const ChainPlan& plan) {
  Blake2b hash;
  hash.update_sized(arm.digest().hex())
      .update_sized(dump_json(chain_options_json(plan.options)))
      .update_number(plan.turn_tokens_max);
  return hash.finish().hex();
}

Result<> run_chains(const Arm& arm, const ChainPlan& plan, const TurnSource& source,
                    store::ChainStore& records,
                    const std::function<void(std::size_t done, std::size_t total)>& progress,
                    const StopToken& stop) {
  TRY(check_chain(plan.options));
  const std::string cell = chain_cell(arm, plan);
  const std::set<std::string> present = TRY(records.keys());
  const ChainAsker asker(arm, plan, source, stop);
  const std::size_t per_world = 1 + (plan.forced ? plan.options.calls : 0);
  const std::size_t total = plan.chains * per_world;
  std::size_t done = 0;
  // Makes one record if it is not there.
  const auto once = [&](std::string_view kind, std::uint64_t seed, std::uint32_t depth,
                        const auto& make) -> Result<> {
    progress(done++, total);
    const std::string key = record_key(cell, kind, seed, depth);
    if (present.contains(key)) return {};
    if (stop.stop_requested()) {
      return fail(Code::cancelled, "stopped; the same command goes on from here");
    }
    const Json outcome = TRY(make());
    return records.add({.key = key,
                        .arm = arm.name,
                        .cell = cell,
                        .kind = std::string(kind),
                        .seed = seed,
                        .depth = depth,
                        .outcome = dump_json(outcome)});
  };
  for (std::uint32_t i = 0; i < plan.chains; ++i) {
    const ChainWorld world(plan.first_seed + i, plan.options);
    TRY(once(kind_free, world.seed(), 0,
             [&]() -> Result<Json> { return chain_outcome_json(TRY(asker.free_chain(world))); }));
    for (std::uint32_t depth = 0; plan.forced && depth < plan.options.calls; ++depth) {
      TRY(once(kind_forced, world.seed(), depth, [&]() -> Result<Json> {
        return Json::object({{"error", chain_error_name(TRY(asker.forced_call(world, depth)))}});
      }));
    }
  }
  progress(total, total);
  return {};
}

Result<ChainRecords> read_chains(const store::ChainStore& records, const Arm& arm,
                                 const ChainPlan& plan) {
  ChainRecords out;
  for (const store::ChainCall& call : TRY(records.of_cell(chain_cell(arm, plan)))) {
    if (call.seed < plan.first_seed || call.seed - plan.first_seed >= plan.chains) continue;
    const Json outcome = TRY(parse_json(call.outcome));
    if (call.kind == kind_free) {
      out.chains.push_back({.seed = call.seed, .outcome = TRY(chain_outcome_from_json(outcome))});
    } else {
      const auto name = TRY(get<std::string>(outcome, "error"));
      const auto error = error_of_name(name);
      if (!error) {
        return fail(Code::corrupt, "a forced call's record has an unknown error: " + name);
      }
      out.forced.push_back({.seed = call.seed, .depth = call.depth, .error = *error});
    }
  }
  return out;
}

}  // namespace hearth::eval
