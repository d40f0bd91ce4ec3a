#include "hearth/node/agent/pair_trial.h"

#include <fmt/format.h>

#include "hearth/base/log.h"
#include "hearth/base/random.h"

namespace hearth::node {
namespace {

constexpr Duration call_deadline = std::chrono::seconds(120);
constexpr Duration chunk_deadline = std::chrono::minutes(10);
constexpr Duration lease_keep = std::chrono::minutes(10);
constexpr std::uint32_t greedy_tokens = 16;

double seconds_since(Instant began) { return seconds(std::chrono::steady_clock::now() - began); }

struct Continuation {
  std::vector<Token> tokens;
  std::vector<float> first_logits;
  double decode_s = 0;
};

class Trial {
 public:
  Trial(const KeptWorker& worker, std::uint64_t seed, const StopToken& stop)
      : worker_(worker), layout_(*worker.info.layout()), stop_(stop) {
    Random random(seed);
    prompt_.resize(trial_chunks * worker.info.chunk_tokens + 1);
    for (Token& token : prompt_) {
      token = static_cast<Token>(random.below(worker.info.limits.vocabulary));
    }
  }

  Result<TrialReport> run(Prefiller& peer) {
    // The peer first: one that has no time costs nothing here, and both compute at once.
    const auto source = TRY(peer.open({.target = target(), .layout = layout_, .stored = {}}, stop_));
    TRY(prefill_here());
    const Continuation ours = TRY(go_on({}));
    const auto lease = TRY(import_theirs(*source));
    const Continuation theirs = TRY(go_on(lease));
    report_.parity = TRY(cluster::compare_logits(ours.first_logits, theirs.first_logits));
    cluster::compare_tokens(ours.tokens, theirs.tokens, report_.parity);
    report_.decode_s = ours.decode_s;
    return std::move(report_);
  }

 private:
  std::span<const Token> target() const { return std::span(prompt_).first(prompt_.size() - 1); }
  static Deadline soon() { return Deadline::after(call_deadline); }

  Result<> prefill_here() {
    Instant began = std::chrono::steady_clock::now();
    const auto source = TRY(worker_.client.prefill(
        {.prompt = {target().begin(), target().end()}, .lease = {}, .export_from = 0},
        model::root_key(layout_), layout_, Deadline::after(chunk_deadline), stop_));
    while (const auto chunk = TRY(source->next(Deadline::after(chunk_deadline)))) {
      const TokenRange range = chunk->header.range;
      report_.local_prefill.push_back({range.count(), range.begin, seconds_since(began)});
      began = std::chrono::steady_clock::now();
    }
    return {};
  }

  // Over our own KV: an import from position 0 empties the sequence first, and the same cells make
  // the same sums.
  Result<engine::LeaseId> import_theirs(ChunkSource& source) {
    const auto opened = TRY(worker_.client.open_lease(target(), lease_keep, soon(), stop_));
    const auto filled = fill(opened.lease, source);
    if (!filled) {
      (void)worker_.client.close_lease(opened.lease);
      return std::unexpected(filled.error());
    }
    return opened.lease;
  }

  Result<> fill(engine::LeaseId lease, ChunkSource& source) {
    std::uint32_t chunks = 0;
    while (const auto chunk = TRY(source.next(Deadline::after(chunk_deadline)))) {
      const Instant began = std::chrono::steady_clock::now();
      TRY(worker_.client.import_chunk(lease, *chunk, soon(), stop_,
                                      /*is_foreign=*/chunk->header.layout != layout_));
      source.on_imported();
      report_.import_s += seconds_since(began);
      ++chunks;
    }
    if (chunks == 0) return fail(Code::unavailable, "the peer sent no chunk");
    report_.import_s /= chunks;
    return {};
  }

  Result<Continuation> go_on(std::optional<engine::LeaseId> lease) {
    engine::GenerateRequest request{.prompt = prompt_, .tokens_max = greedy_tokens,
                                    .sampling = {.temperature = 0}, .stop_strings = {},
                                    .lease = lease, .first_logits = true,
                                    // Of random tokens the end may be likeliest, and nothing compared.
                                    .ignore_eos = true};
    const auto answer = TRY(worker_.client.generate(request, soon(), stop_));
    Continuation out;
    while (true) {
      auto event = TRY(answer->next(soon()));
      if (auto* token = std::get_if<engine::TokenDone>(&event)) {
        out.tokens.push_back(token->token);
        if (!token->first_logits.empty()) out.first_logits = std::move(token->first_logits);
      } else if (const auto* finished = std::get_if<engine::Finished>(&event)) {
        const std::uint32_t gaps = std::max(finished->answer_tokens, 2u) - 1;
        out.decode_s = seconds(finished->decode) / gaps;
        return out;
      } else if (const auto* error = std::get_if<Error>(&event)) {
        return std::unexpected(*error);
      }
    }
  }

  const KeptWorker& worker_;
  const model::LayoutDigest layout_;
  const StopToken& stop_;
  std::vector<Token> prompt_;
  TrialReport report_;
};

}  // namespace

Result<TrialReport> try_pair(const KeptWorker& worker, Prefiller& peer, std::uint64_t seed,
                             const StopToken& stop) {
  if (!worker.info.layout()) return fail(Code::unsupported, "KV transfer is off: " + worker.info.kv_refusal);
  return Trial(worker, seed, stop).run(peer);
}

Result<TrialReport> try_until_sure(const TryOnce& try_once, const cluster::ParityLimits& limits) {
  for (std::uint32_t faults = 1;; ++faults) {
    auto report = try_once();
    if (!report || faults == faults_to_distrust) return report;
    const std::string fault = cluster::parity_fault(report->parity, limits);
    if (fault.empty()) return report;
    log_info("a pair is tried once more: " + fault);
  }
}

}  // namespace hearth::node
