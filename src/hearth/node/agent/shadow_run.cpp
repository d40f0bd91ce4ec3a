#include "hearth/node/agent/shadow_run.h"

#include <fmt/format.h>

#include "hearth/base/random.h"

namespace hearth::node {
namespace {

constexpr Duration call_deadline = std::chrono::seconds(120);
constexpr Duration chunk_deadline = std::chrono::minutes(10);
constexpr Duration lease_keep = std::chrono::minutes(10);

Deadline soon() { return Deadline::after(call_deadline); }

std::vector<Token> unseen_prompt(const ShadowRun& run) {
  Random random(run.seed);
  std::vector<Token> prompt(run.prompt_tokens);
  for (Token& token : prompt) {
    token = static_cast<Token>(random.below(run.worker.info.limits.vocabulary));
  }
  return prompt;
}

Result<> import_all(const ShadowRun& run, std::span<const Token> target, engine::LeaseId lease,
                    const StopToken& stop) {
  const model::LayoutDigest layout = *run.worker.info.layout();
  const auto source = TRY(run.prefiller->open({.target = target, .layout = layout, .stored = {}}, stop));
  if (source == nullptr) return fail(Code::unavailable, "nobody prefilled it");
  while (const auto chunk = TRY(source->next(Deadline::after(chunk_deadline)))) {
    TRY(run.worker.client.import_chunk(lease, *chunk, soon(), stop,
                                       /*is_foreign=*/chunk->header.layout != layout));
    source->on_imported();
  }
  return {};
}

Result<> read_first_token(Generation& answer) {
  while (true) {
    auto event = TRY(answer.next(Deadline::after(chunk_deadline)));
    if (std::holds_alternative<engine::TokenDone>(event) ||
        std::holds_alternative<engine::Finished>(event)) {
      return {};
    }
    if (auto* error = std::get_if<Error>(&event)) return std::unexpected(std::move(*error));
  }
}

}  // namespace

Result<double> run_shadow(const ShadowRun& run, const StopToken& stop) {
  const WorkerInfo& info = run.worker.info;
  if (run.prompt_tokens < 2 || run.prompt_tokens > info.limits.context_tokens) {
    return fail(Code::invalid_argument, fmt::format("a prompt of {} tokens; 2 to {} are possible",
                                                    run.prompt_tokens, info.limits.context_tokens));
  }
  if (!info.layout()) return fail(Code::unsupported, "KV transfer is off: " + info.kv_refusal);
  const std::vector<Token> prompt = unseen_prompt(run);
  const Instant began = std::chrono::steady_clock::now();
  engine::GenerateRequest request{.prompt = prompt, .tokens_max = 1, .sampling = {.temperature = 0}};
  if (run.prefiller != nullptr) {
    const auto opened = TRY(run.worker.client.open_lease(prompt, lease_keep, soon(), stop));
    const auto target = std::span(prompt).first(prompt.size() - 1);
    if (auto imported = import_all(run, target, opened.lease, stop); !imported) {
      (void)run.worker.client.close_lease(opened.lease);
      return std::unexpected(std::move(imported.error()));
    }
    request.lease = opened.lease;
  }
  const auto answer = TRY(run.worker.client.generate(request, soon(), stop));
  TRY(read_first_token(*answer));
  return seconds(std::chrono::steady_clock::now() - began);
}

}  // namespace hearth::node
