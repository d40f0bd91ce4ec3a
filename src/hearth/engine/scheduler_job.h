#pragma once
// One job of the scheduler from submission to its last event. Only scheduler*.cpp include this.

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/stop.h"
#include "hearth/engine/engine.h"
#include "hearth/engine/job.h"
#include "hearth/engine/scheduler.h"
#include "hearth/engine/text_assembler.h"

namespace hearth::engine {

struct Scheduler::Job {
  // What was asked.
  std::vector<Token> prompt;
  std::optional<LeaseId> lease;
  AdapterSetId adapters;
  std::optional<std::uint32_t> export_from;
  std::optional<std::uint32_t> score_from;  // logits of the prompt's tokens from here on are told
  std::optional<GenerateRequest> generate;  // without prompt and lease; absent: prefill only
  std::shared_ptr<JobSink> sink;            // shared with whoever reads the events
  StopToken stop;
  std::uint32_t total_tokens = 0;  // cells, if the answer becomes as long as it may
  std::uint32_t answer_tokens_max = 0;

  // Where it is.
  std::optional<std::size_t> slot;
  bool answering = false;
  bool ended = false;
  std::uint32_t exported_to = 0;
  std::uint32_t reused_tokens = 0;
  Instant submitted{}, started{}, first_token{}, last_token{};

  // The answer.
  Token next_token = 0;
  std::uint32_t answer_tokens = 0;
  std::unique_ptr<Sampler> sampler;
  TextAssembler text{{}};

  // This step's part of the batch.
  std::uint32_t batch_count = 0;
  std::size_t logits_index = 0;

  std::uint32_t prompt_tokens() const { return static_cast<std::uint32_t>(prompt.size()); }
  // The last prompt token of an answer is its first decode step.
  std::uint32_t prompt_target() const { return generate ? prompt_tokens() - 1 : prompt_tokens(); }
  bool is_reading(const Slot& held) const { return !answering && !ended && held.length() < prompt_target(); }
  // What a sequence may hold already: tokens whose logits are wanted must be computed.
  std::uint32_t reusable_tokens() const { return score_from.value_or(prompt_target()); }
};

}  // namespace hearth::engine
