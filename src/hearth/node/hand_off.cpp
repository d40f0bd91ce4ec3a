#include "hearth/node/hand_off.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "hearth/base/bounded_queue.h"
#include "hearth/base/thread.h"
#include "hearth/node/stored_import.h"

namespace hearth::node {
namespace {

// Between two chunks, which may come from a slow machine; a worker dies with us, and its leases too.
constexpr Duration lease_keep = std::chrono::hours(1);
constexpr Duration call_deadline = std::chrono::seconds(120);
// A prefill that yields no chunk for so long is given up; what it lacks is computed locally.
constexpr Duration chunk_deadline = std::chrono::minutes(10);
// Chunks between the reader of a prefill and the importer: bounds the memory of a transfer.
constexpr std::size_t staged_chunks_max = 2;

bool worker_is_gone(const Error& error) {
  return error.code == Code::unavailable || error.code == Code::timed_out ||
         error.code == Code::cancelled;
}

// A chunk on its way, with the moment its transfer began.
struct StagedChunk {
  kv::SharedChunk chunk;
  Instant read_began{};
};

class HandOff {
 public:
  HandOff(const HandOffParts& parts, std::span<const Token> prompt, const HandOffProgress& progress,
          const StopToken& stop)
      : parts_(parts), prompt_(prompt), target_(prompt.first(prompt.size() - 1)),
        layout_(*parts.decode_info.layout(parts.adapter)), progress_(progress), stop_(stop) {}

  Result<HandOffResult> run() {
    // An append-only sequence that holds the last token too could not be cut back before it.
    const auto wanted = is_append_only() ? target_ : prompt_;
    const auto lease = TRY(parts_.decode.open_lease(wanted, lease_keep, soon(), stop_, parts_.adapter));
    lease_ = lease.lease;
    auto filled = fill(lease);
    if (!filled) (void)parts_.decode.close_lease(lease_);
    return filled;
  }

 private:
  Result<HandOffResult> fill(const engine::LeaseInfo& lease) {
    held_tokens_ = std::min<std::uint32_t>(lease.held_tokens, target_tokens());
    report_.held_tokens = held_tokens_;
    kv::StoredPrefix stored;
    if (parts_.store != nullptr) stored = parts_.store->longest_prefix(layout_, target_);
    TRY(import_stored(stored));
    tell_progress();
    if (held_tokens_ < target_tokens()) {
      bool is_ours = true;
      if (parts_.prefiller != nullptr) is_ours = !TRY(prefill_elsewhere(stored));
      if (is_ours && parts_.store != nullptr && parts_.computes_missing && can_export()) {
        return compute_here();
      }
    }
    if (is_partial_) TRY(restore());
    return HandOffResult{lease_, std::move(report_)};
  }

  static Deadline soon() { return Deadline::after(call_deadline); }
  std::uint32_t target_tokens() const { return static_cast<std::uint32_t>(target_.size()); }
  void tell_progress() const {
    if (progress_) progress_(held_tokens_, target_tokens());
  }
  void note(std::string text) { report_.notes.push_back(std::move(text)); }

  bool is_append_only() const { return parts_.decode_info.limits.is_append_only; }
  std::uint32_t chain_tokens() const { return chain_ ? chain_->tokens : 0; }

  // What an append-only sequence holds beyond the first piece cannot be exported any more.
  bool can_export() const {
    const std::uint32_t chunk_tokens = parts_.decode_info.chunk_tokens;
    return !is_append_only() ||
           held_tokens_ <= (chain_tokens() / chunk_tokens + 1) * chunk_tokens;
  }

  // Chunks that reach beyond what the worker holds, in order, until one fails.
  Result<> import_stored(const kv::StoredPrefix& stored) {
    const std::span<const kv::PrefixChunk> all(stored.chunks);
    const std::size_t held = held_pieces(all, held_tokens_);
    if (held > 0) chain_ = ChainEnd{all[held - 1].key, all[held - 1].range.end};
    const ImportPlan plan = plan_import(all, held_tokens_, is_append_only(),
                                        /*restart_tokens_min=*/parts_.decode_info.chunk_tokens);
    if (plan.first == all.size()) return {};
    held_tokens_ = report_.held_tokens = plan.kept_tokens;
    return import_from_store(all.subspan(plan.first));
  }

  // The hand-off ended between two recurrent states: back to the last one that was kept.
  Result<> restore() {
    note(fmt::format("the model's recurrent state did not come with the KV of {} tokens", held_tokens_));
    held_tokens_ = report_.held_tokens = 0;
    report_.computed_tokens = report_.memory_tokens = report_.disk_tokens = 0;
    is_partial_ = false;
    if (parts_.store == nullptr) return {};
    const kv::StoredPrefix stored = parts_.store->longest_prefix(layout_, target_);
    return import_from_store(stored.chunks);
  }

  Result<> import_from_store(std::span<const kv::PrefixChunk> wanted) {
    if (wanted.empty()) return {};
    const StoredImport imported =
        import_pieces(parts_.decode, lease_, *parts_.store, wanted, call_deadline, stop_);
    for (const kv::PrefixChunk& piece : wanted.first(imported.count)) count_import(piece);
    if (!imported.error) return {};
    if (worker_is_gone(*imported.error)) return std::unexpected(*imported.error);
    const kv::PrefixChunk& bad = wanted[imported.count];
    ++report_.refused_chunks;
    note(fmt::format("stored chunk for tokens {} to {} was not usable and is computed again: {}",
                     bad.range.begin, bad.range.end, imported.error->message));
    return {};
  }

  // How many leading pieces lie within `held_tokens`.
  static std::size_t held_pieces(std::span<const kv::PrefixChunk> pieces, std::uint32_t held_tokens) {
    std::size_t count = 0;
    while (count < pieces.size() && pieces[count].range.end <= held_tokens) ++count;
    return count;
  }

  void count_import(const kv::PrefixChunk& piece) {
    // Only what lies beyond the held prefix came from the store.
    const std::uint32_t gained = piece.range.end - std::max(held_tokens_, piece.range.begin);
    (piece.tier == kv::Tier::disk ? report_.disk_tokens : report_.memory_tokens) += gained;
    held_tokens_ = piece.range.end;
    is_partial_ = piece.is_partial;
    ++report_.chunks;
    report_.transfer_bytes += piece.chunk_bytes;
    chain_ = ChainEnd{piece.key, piece.range.end};
  }

  struct ChainEnd {
    kv::ChunkKey key;
    std::uint32_t tokens = 0;
  };

  // The decoding worker computes what is missing and exports it, so that the next run finds it.
  Result<HandOffResult> compute_here() {
    const Instant began = std::chrono::steady_clock::now();
    auto source = TRY(parts_.decode.prefill({.prompt = {target_.begin(), target_.end()},
                                             .lease = lease_,
                                             .export_from = chain_ ? chain_->tokens : 0,
                                             .adapter = std::string(parts_.adapter)},
                                            chain_ ? chain_->key : model::root_key(layout_), layout_,
                                            Deadline::after(chunk_deadline), stop_));
    while (auto chunk = TRY(source->next(Deadline::after(chunk_deadline)))) {
      const std::uint32_t end = chunk->header.range.end;
      if (end > held_tokens_) report_.computed_tokens += end - held_tokens_;
      held_tokens_ = std::max(held_tokens_, end);
      keep(std::move(chunk));
      tell_progress();
    }
    report_.prefill = std::chrono::steady_clock::now() - began;
    report_.was_computed_here = true;
    return HandOffResult{std::nullopt, std::move(report_)};  // the prefill used the lease up
  }

  void keep(kv::SharedChunk chunk) {
    if (parts_.store == nullptr) return;
    if (const auto put = parts_.store->put(std::move(chunk)); !put) {
      note(fmt::format("a chunk was not kept in the store: {}", put.error().message));
    }
  }

  // Gives the prefill worker what the store has, then takes chunk by chunk as they are computed;
  // a second thread imports one while the next is being computed and read. False: nobody did.
  Result<bool> prefill_elsewhere(const kv::StoredPrefix& stored) {
    const Instant began = std::chrono::steady_clock::now();
    const std::span<const kv::PrefixChunk> all(stored.chunks);
    auto source = parts_.prefiller->open(
        {.request = parts_.request, .began = parts_.began, .target = target_, .layout = layout_,
         .stored = all.first(chain_ ? held_pieces(all, chain_->tokens) : 0),
         .held_tokens = held_tokens_, .answers_beside = parts_.answers_beside},
        stop_);
    if (!source) {
      note(fmt::format("the prefill worker could not be used: {}", source.error().message));
      return false;
    }
    if (*source == nullptr) return false;
    report_.prefilled_by = (*source)->machine();
    // The chunks that come join the stored ones, not what the sequence holds besides.
    if (is_append_only() && held_tokens_ != chain_tokens()) {
      const auto before = all.first(held_pieces(all, chain_tokens()));
      held_tokens_ = report_.held_tokens = 0;
      TRY(import_from_store(before));
    }
    BoundedQueue<StagedChunk> staged(staged_chunks_max);
    Result<> imported;
    Thread importer("kv_import", [&] { imported = import_staged(staged, **source); });
    Instant last_read_began = began;
    std::optional<Instant> last_came;
    std::uint32_t received_tokens = 0;
    while (true) {
      auto chunk = (*source)->next(Deadline::after(chunk_deadline));
      if (!chunk) {
        note(fmt::format("the prefill worker was lost after {} of {} tokens; the rest is computed "
                         "by the decoding worker: {}", received_tokens, target_tokens(),
                         chunk.error().message));
        break;
      }
      if (*chunk == nullptr) break;
      last_read_began = (*source)->chunk_began();
      last_came = std::chrono::steady_clock::now();
      received_tokens = (*chunk)->header.range.end;
      keep(*chunk);
      if (worker_lost_) break;
      if (!staged.push({*std::move(chunk), last_read_began}, Deadline::after(call_deadline))) {
        note("the decoding worker takes no chunks; it computes the rest itself");
        break;
      }
    }
    report_.prefill = last_read_began - began;
    staged.close();
    importer.join();
    const Instant ended = std::chrono::steady_clock::now();
    report_.tail = ended - last_read_began;
    if (last_came) report_.tail_import = ended - *last_came;
    for (std::string& text : import_notes_) note(std::move(text));
    if (report_.foreign_tokens > 0) {
      note(fmt::format("{} tokens of the prompt were computed by another quantisation of the model",
                       report_.foreign_tokens));
    }
    TRY(imported);
    return true;
  }

  // Runs on the importer thread until the queue is closed. After a failure it only drains.
  Result<> import_staged(BoundedQueue<StagedChunk>& staged, ChunkSource& source) {
    Result<> outcome;
    bool usable = true;
    while (auto item = staged.pop(Deadline::never())) {
      const kv::ChunkHeader& header = item->chunk->header;
      if (!usable || !outcome) continue;
      if (header.range.end <= held_tokens_) {
        source.on_imported();
        continue;
      }
      // The prefiller was asked by us: whose layout it has, it was allowed to have.
      const bool is_foreign = header.layout != layout_;
      const auto imported =
          parts_.decode.import_chunk(lease_, *item->chunk, soon(), stop_, is_foreign);
      if (!imported) {
        if (worker_is_gone(imported.error())) {
          outcome = imported;
          worker_lost_ = true;
          source.on_worker_lost(imported.error());
        } else {
          usable = false;
          source.on_import_refused(imported.error());
          ++report_.refused_chunks;
          import_notes_.push_back(
              fmt::format("the chunk for tokens {} to {} was refused, the rest is computed by the "
                          "decoding worker: {}", header.range.begin, header.range.end,
                          imported.error().message));
        }
        continue;
      }
      report_.transfer += std::chrono::steady_clock::now() - item->read_began;
      report_.computed_tokens += header.range.end - held_tokens_;
      if (is_foreign) report_.foreign_tokens += header.range.end - held_tokens_;
      held_tokens_ = header.range.end;
      is_partial_ = header.is_partial;
      ++report_.chunks;
      report_.transfer_bytes += kv::chunk_bytes(header);
      source.on_imported();
      tell_progress();
    }
    return outcome;
  }

  const HandOffParts& parts_;
  const std::span<const Token> prompt_;
  const std::span<const Token> target_;  // what may be handed off: all but the last token
  const model::LayoutDigest layout_;
  const HandOffProgress& progress_;
  const StopToken& stop_;
  engine::LeaseId lease_;
  std::uint32_t held_tokens_ = 0;             // the importer's while it runs
  bool is_partial_ = false;                   // as held_tokens_: the sequence lacks its recurrent state
  std::optional<ChainEnd> chain_;
  HandOffReport report_;
  std::atomic<bool> worker_lost_ = false;     // the importer's word to the reader
  std::vector<std::string> import_notes_;     // the importer's, joined to the report afterwards
};

}  // namespace

double HandOffReport::hidden_fraction() const {
  if (transfer <= Duration::zero()) return 0;
  const double visible = std::min(seconds(tail), seconds(transfer));
  return 1 - visible / seconds(transfer);
}

model::HandOffFacts HandOffReport::facts() const {
  return {.prefilled_by = computed_tokens > 0 ? prefilled_by : std::string(),
          .handed_tokens = was_computed_here ? 0 : computed_tokens,
          .held_tokens = held_tokens,
          .memory_tokens = memory_tokens,
          .disk_tokens = disk_tokens,
          .chunks = chunks,
          .refused_chunks = refused_chunks,
          .bytes = transfer_bytes,
          .hidden_fraction = hidden_fraction(),
          .tail_ms = milliseconds(tail),
          .import_ms = tail_import ? std::optional(milliseconds(*tail_import)) : std::nullopt};
}

Result<HandOffResult> hand_off(const HandOffParts& parts, std::span<const Token> prompt,
                               const HandOffProgress& progress, const StopToken& stop) {
  if (prompt.empty()) return fail(Code::invalid_argument, "the prompt has no tokens");
  HandOffResult nothing;
  if (prompt.size() == 1) return nothing;
  if (!parts.decode_info.layout()) {
    nothing.report.notes.push_back("KV transfer is off: " + parts.decode_info.kv_refusal);
    return nothing;
  }
  if (!parts.decode_info.layout(parts.adapter)) {
    return std::unexpected(model::no_such_adapter(parts.adapter, parts.decode_info.adapter_sets));
  }
  return HandOff(parts, prompt, progress, stop).run();
}

}  // namespace hearth::node
