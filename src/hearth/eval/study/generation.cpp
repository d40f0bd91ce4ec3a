#include "hearth/eval/study/generation.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/eval/study/asking.h"
#include "hearth/eval/study/in_parallel.h"

namespace hearth::eval {
namespace {

constexpr std::size_t loop_period_max = 400;  // bytes
constexpr std::size_t loop_repeats = 4;
constexpr std::size_t loop_bytes_min = 120;

bool ends_in_loop(std::string_view text) {
  for (std::size_t period = 1; period <= loop_period_max; ++period) {
    const std::size_t bytes = std::max(loop_repeats * period, loop_bytes_min);
    if (bytes > text.size()) break;
    const std::string_view tail = text.substr(text.size() - bytes);
    if (tail.substr(period) == tail.substr(0, bytes - period)) return true;
  }
  return false;
}

Result<ServiceReply> ask(const Arm& arm, const WantedGeneration& wanted, Service& service, Purse& purse,
                         const RetryPolicy& policy, const StopToken& stop) {
  const auto request = [&]() -> Result<chat::ChatRequest> { return generation_request(arm, *wanted.item, wanted.k); };
  Asked asked = TRY(ask_patiently(service, request, wanted.item->egress, purse, policy, stop));
  if (asked.reply) return *std::move(asked.reply);
  return fail(
      Code::unavailable,
      fmt::format("arm {}, item {}: {} ({} tries); what was generated is kept, run the same command again to go on",
                  arm.name, wanted.item->id, asked.reply.error().message, asked.tries));
}

// All that this arm was paid for, also as it was before it was edited.
Result<double> paid_before(const Arm& arm, const store::StudyStore& records) {
  double out = 0;
  for (const store::GenerationRecord& one : TRY(records.generations())) {
    if (one.arm == arm.name) out += one.cost_usd;
  }
  return out;
}

store::GenerationRecord record_of(const Arm& arm, const WantedGeneration& wanted, ServiceReply reply) {
  const chat::ChatRequest request = generation_request(arm, *wanted.item, wanted.k);
  store::GenerationRecord out{.key = wanted.key,
                              .item = wanted.item->id,
                              .prompt_digest = prompt_digest(*wanted.item).hex(),
                              .arm = arm.name,
                              .arm_digest = arm.digest().hex(),
                              .k = wanted.k,
                              .seed = request.sampling.seed.value_or(0),
                              .is_sealed = wanted.item->egress == Egress::deny};
  Blake2b hash;
  hash.update_sized(out.prompt_digest)
      .update_sized(out.arm_digest)
      .update_number(out.seed)
      .update_number(request.tokens_max.value_or(0));
  out.request_digest = hash.finish().hex();
  out.output = reply.said();
  out.fault = answer_fault(out.output, reply.end.reason);
  out.thinking = std::move(reply.thinking);
  out.end = end_name(reply.end.reason);
  out.prompt_tokens = reply.end.usage.prompt_tokens;
  out.cached_tokens = reply.end.usage.cached_tokens;
  out.answer_tokens = reply.end.usage.answer_tokens;
  out.thinking_tokens = reply.end.usage.thinking_tokens;
  out.first_piece_s = reply.first_piece_s;
  out.total_s = reply.total_s;
  out.model = std::move(reply.model);
  out.model_digest = arm.model_digest;
  out.engine_build = reply.build.empty() ? arm.engine_build : std::move(reply.build);
  out.cost_usd = reply.cost_usd;
  out.tries = reply.tries;
  return out;
}

}  // namespace

std::string generation_key(const Digest256& prompt, const Digest256& arm, std::uint32_t k) {
  return Blake2b().update_sized(prompt.hex()).update_sized(arm.hex()).update_number(k).finish().hex();
}

std::uint32_t generation_seed(std::uint64_t seed, std::string_view item, std::uint32_t k) {
  const Digest256 digest = Blake2b().update_number(seed).update_sized(item).update_number(k).finish();
  std::uint32_t out;
  std::memcpy(&out, digest.bytes.data(), sizeof(out));
  return out & 0x7fffffffu;  // some services take no more
}

std::vector<WantedGeneration> wanted_generations(std::span<const Item* const> items, const Arm& arm,
                                                 std::uint32_t generations, const std::set<std::string>& present) {
  std::vector<WantedGeneration> out;
  const Digest256 of_arm = arm.digest();
  for (std::uint32_t k = 0; k < generations; ++k) {
    for (const Item* item : items) {
      std::string key = generation_key(prompt_digest(*item), of_arm, k);
      if (!present.contains(key)) out.push_back({item, k, std::move(key)});
    }
  }
  return out;
}

chat::ChatRequest generation_request(const Arm& arm, const Item& item, std::uint32_t k) {
  chat::ChatRequest out;
  out.model = arm.endpoint.model;
  out.conversation.messages = item.messages;
  out.thinking = arm.thinking;
  if (item.max_tokens > 0) out.tokens_max = item.max_tokens + arm.thinking_tokens;
  out.sampling.temperature = arm.temperature;
  out.sampling.top_p = arm.top_p;
  out.sampling.min_p = arm.min_p;
  if (arm.top_k) out.sampling.top_k = static_cast<int>(*arm.top_k);
  if (arm.seed) out.sampling.seed = generation_seed(*arm.seed, item.id, k);
  out.stream = true;
  return out;
}

std::string answer_fault(std::string_view text, chat::AnswerEnd::Reason end) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return "empty";
  if (end != chat::AnswerEnd::Reason::tokens_max) return "";
  return ends_in_loop(text) ? "loop" : "cut";
}

std::string_view end_name(chat::AnswerEnd::Reason reason) {
  switch (reason) {
    case chat::AnswerEnd::Reason::end_turn: return "end_turn";
    case chat::AnswerEnd::Reason::tokens_max: return "tokens_max";
    case chat::AnswerEnd::Reason::stop_string: return "stop_string";
    case chat::AnswerEnd::Reason::calls: return "calls";
  }
  return "";
}

Result<> generate(const Arm& arm, std::span<const WantedGeneration> wanted, Service& service,
                  store::StudyStore& records, const GenerateOptions& options, const StopToken& stop) {
  Purse purse("arm " + arm.name, arm.endpoint.prices, TRY(paid_before(arm, records)), arm.money_max_usd);
  GenerationCourse course{.arm = arm.name, .total = wanted.size()};
  double busy_s = 0;
  const auto keep = [&](store::GenerationRecord record) -> Result<> {
    TRY(records.add_generation(record));
    ++course.done;
    course.cost_usd = purse.spent_usd();
    busy_s += record.total_s;
    course.seconds_left =
        busy_s / static_cast<double>(course.done) * static_cast<double>(course.total - course.done) / arm.parallel;
    if (options.progress) options.progress(course);
    return {};
  };
  return in_parallel(wanted.size(), arm.parallel, stop, [&](std::size_t i) -> Keep {
    const std::int64_t began = options.now_s ? options.now_s() : 0;
    Result<ServiceReply> reply = ask(arm, wanted[i], service, purse, options.retry, stop);
    return [&, i, began, reply = std::move(reply)]() mutable -> Result<> {
      if (!reply) return std::unexpected(std::move(reply).error());
      store::GenerationRecord record = record_of(arm, wanted[i], *std::move(reply));
      record.began_s = began;
      return keep(std::move(record));
    };
  });
}

}  // namespace hearth::eval
