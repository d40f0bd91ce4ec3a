#include "hearth/eval/study/chain_study.h"

#include <fmt/format.h>

#include "hearth/base/random.h"
#include "hearth/eval/study/asking.h"

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
  if (error.may_pass) return true;
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
  ChainAsker(const Arm& arm, const ChainPlan& plan, Service& service, Purse& purse, store::ChainStore& records,
             const StopToken& stop)
      : arm_(arm), plan_(plan), service_(service), purse_(purse), records_(records), stop_(stop) {}

  Result<Json> outcome(const WantedChain& wanted) {
    const ChainWorld world(wanted.seed, plan_.options);
    if (!wanted.forced_depth) return chain_outcome_json(TRY(free_chain(world)));
    const ChainError error = TRY(forced_call(world, *wanted.forced_depth));
    return Json::object({{"error", chain_error_name(error)}});
  }

 private:
  Result<ModelTurn> ask(const chat::Conversation& conversation, std::uint64_t seed, std::uint32_t turn) {
    const auto request = [&]() -> Result<chat::ChatRequest> {
      return chain_request(arm_, conversation, plan_.turn_tokens_max, seed, turn);
    };
    Asked asked = TRY(ask_patiently(service_, request, Egress::open, purse_, plan_.retry, stop_));
    if (asked.reply) {
      if (asked.reply->cost_usd > 0) TRY(records_.add_payment(arm_.name, asked.reply->cost_usd));
      return ModelTurn{.text = std::move(asked.reply->text),
                       .thinking = std::move(asked.reply->thinking),
                       .calls = std::move(asked.reply->calls)};
    }
    if (!may_be_asked_later(asked.reply.error())) return ModelTurn{.failed = true};
    return fail(Code::unavailable,
                fmt::format("arm {}: {} ({} tries); finished chains are kept, the same command goes on", arm_.name,
                            asked.reply.error().message, asked.tries));
  }

  Result<ChainOutcome> free_chain(const ChainWorld& world) {
    ChainRun run(world);
    for (std::uint32_t turn = 0; !run.done(); ++turn) {
      run.take(TRY(ask(run.conversation(), world.seed(), turn)));
    }
    return run.outcome();
  }

  Result<ChainError> forced_call(const ChainWorld& world, std::uint32_t depth) {
    const ModelTurn turn = TRY(ask(forced_conversation(world, depth), world.seed(), depth));
    return grade_forced(world, depth, turn);
  }

  const Arm& arm_;
  const ChainPlan& plan_;
  Service& service_;
  Purse& purse_;
  store::ChainStore& records_;
  const StopToken& stop_;
};

}  // namespace

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

Result<std::vector<WantedChain>> wanted_chains(const Arm& arm, const ChainPlan& plan,
                                               const store::ChainStore& records) {
  TRY(check_chain(plan.options));
  const std::string cell = chain_cell(arm, plan);
  const std::set<std::string> present = TRY(records.keys());
  std::vector<WantedChain> out;
  const auto want = [&](std::uint64_t seed, std::optional<std::uint32_t> depth) {
    std::string key = record_key(cell, depth ? kind_forced : kind_free, seed, depth.value_or(0));
    if (!present.contains(key)) out.push_back({std::move(key), seed, depth});
  };
  for (std::uint32_t i = 0; i < plan.chains; ++i) {
    want(plan.first_seed + i, std::nullopt);
    for (std::uint32_t depth = 0; plan.forced && depth < plan.options.calls; ++depth) want(plan.first_seed + i, depth);
  }
  return out;
}

Result<> run_chains(const Arm& arm, const ChainPlan& plan, std::span<const WantedChain> wanted, Service& service,
                    store::ChainStore& records, const std::function<void(const ChainCourse&)>& progress,
                    const StopToken& stop) {
  const std::string cell = chain_cell(arm, plan);
  Purse purse("arm " + arm.name, arm.endpoint.prices, TRY(records.paid_usd(arm.name)), arm.money_max_usd);
  ChainAsker asker(arm, plan, service, purse, records, stop);
  ChainCourse course{.total = wanted.size()};
  for (const WantedChain& one : wanted) {
    course.cost_usd = purse.spent_usd();
    progress(course);
    if (stop.stop_requested()) return fail(Code::cancelled, "stopped; the same command goes on from here");
    const Json outcome = TRY(asker.outcome(one));
    TRY(records.add({.key = one.key,
                     .arm = arm.name,
                     .cell = cell,
                     .kind = std::string(one.forced_depth ? kind_forced : kind_free),
                     .seed = one.seed,
                     .depth = one.forced_depth.value_or(0),
                     .outcome = dump_json(outcome)}));
    ++course.done;
  }
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
