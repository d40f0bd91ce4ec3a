#pragma once
// Brings the KV of a prompt into the worker that will decode it: from what that worker holds, from
// the chunk store, from whoever prefills as it computes; whatever is left the decoding worker
// computes itself. The last token of a prompt is always left to it.
//
// Trouble on the way (a damaged chunk, a prefiller that dies) costs time, never correctness:
// it is noted, and the rest is computed. Only the decoding worker itself can fail a hand-off; its
// lease is then closed.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hearth/base/clock.h"
#include "hearth/base/stop.h"
#include "hearth/kv/store.h"
#include "hearth/model/hand_off_facts.h"
#include "hearth/node/prefiller.h"
#include "hearth/node/worker/worker_client.h"

namespace hearth::node {

struct HandOffReport {
  // Where the prompt's tokens came from; what is missing to the whole, the decoding worker computes.
  std::uint32_t held_tokens = 0;      // in the worker already
  std::uint32_t memory_tokens = 0;    // store, memory tier
  std::uint32_t disk_tokens = 0;      // store, disk tier
  std::uint32_t computed_tokens = 0;  // by the prefiller, or by this worker with export
  std::uint32_t chunks = 0;           // moved into the decoding worker
  std::uint64_t transfer_bytes = 0;
  std::uint32_t foreign_tokens = 0;   // of the computed ones, by another quantisation of the model
  std::uint32_t refused_chunks = 0;   // damaged, forged, foreign: computed again instead
  Duration transfer{};                // sum over chunks: first byte read to imported
  Duration tail{};                    // from the end of the computation to the last import
  std::optional<Duration> tail_import{};  // of that, since the last chunk had come; absent: none came
  bool was_computed_here = false;     // by this worker with export
  std::string prefilled_by;           // the machine of the prefiller; empty: this one, or it was not asked
  Duration prefill{};                 // from asking for the prefill to its last chunk
  std::vector<std::string> notes;     // what went wrong and what was done about it

  // The part of the transfer that ran while the prefill was still computing.
  double hidden_fraction() const;
  model::HandOffFacts facts() const;
};

struct HandOffResult {
  // To generate from; absent when the sequence will be found by its content.
  std::optional<engine::LeaseId> lease;
  HandOffReport report;
};

// Tokens of the prompt whose KV is known to exist somewhere.
using HandOffProgress = std::function<void(std::uint32_t tokens_done, std::uint32_t tokens_total)>;

struct HandOffParts {
  const WorkerClient& decode;
  const WorkerInfo& decode_info;
  std::string_view adapter{};             // the adapter set that the answer is computed with
  Prefiller* prefiller = nullptr;  // absent: the decoding worker computes what is missing
  kv::ChunkStore* store = nullptr;        // absent: nothing is looked up or kept
  std::uint64_t request = 0;  // handed on to the prefiller
  Instant began{};            // when the request came
  std::uint32_t answers_beside = 0;  // handed on, too
  // Without a prefiller: compute what is missing here and keep it. False: leave it to the
  // generation.
  bool computes_missing = true;
};

Result<HandOffResult> hand_off(const HandOffParts& parts, std::span<const Token> prompt,
                               const HandOffProgress& progress, const StopToken& stop);

}  // namespace hearth::node
