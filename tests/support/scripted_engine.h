#pragma once
// A double of Engine for tests of what stands on top of it: cheap, strict and able to fail on
// request. Its "model" continues a token t with t + 1 modulo the vocabulary; its KV blob is the
// token ids of the range, so a test sees where wrong state came from. It checks what libllama
// would not: gaps, duplicates, sequences out of range. Like libllama it shares the cells of a prefix,
// and refuses a batch for which no cells are free. Append-only, it checks that rule too; with a recurrent
// state a blob has one word more: the number of tokens that the state stands behind.

#include <algorithm>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "hearth/base/check.h"
#include "hearth/engine/engine.h"

namespace hearth::testing {

class ScriptedEngine final : public engine::Engine {
 public:
  explicit ScriptedEngine(engine::EngineLimits limits) : limits_(limits) {}

  // --- what tests may set and read
  Token end_token = -1;                  // generation ends when this one is chosen
  std::vector<Error> decode_errors;      // served once each, in order, after half of the batch
  std::function<void()> before_decode;   // runs at the start of each decode
  std::vector<std::size_t> batch_sizes;
  std::vector<std::vector<engine::BatchItem>> batches;
  std::map<std::int32_t, std::vector<Token>> sequences;
  std::vector<engine::AdapterSetId> adapters_used;  // one for each decode
  int refused_for_cells = 0;             // batches and imports

  std::size_t cells_used() const { return holders_.size() - free_cells_.size(); }

  const engine::EngineLimits& limits() const override { return limits_; }

  Result<> decode(std::span<const engine::BatchItem> items, const StopToken& stop) override {
    CHECK(!items.empty() && items.size() <= limits_.batch_tokens);
    batch_sizes.push_back(items.size());
    batches.emplace_back(items.begin(), items.end());
    adapters_used.push_back(adapters_);
    if (before_decode) before_decode();
    if (!decode_errors.empty()) {
      const Error error = decode_errors.front();
      decode_errors.erase(decode_errors.begin());
      take(items.first(items.size() / 2));
      return std::unexpected(error);
    }
    if (stop.stop_requested()) return fail(Code::cancelled, "cancelled");
    TRY(check_free(items.size()));
    take(items);
    last_batch_.assign(items.begin(), items.end());
    return {};
  }

  Result<> use_adapters(engine::AdapterSetId set) override {
    CHECK(set.value <= limits_.adapter_sets);
    adapters_ = set;
    return {};
  }
  Result<engine::AdapterSetId> find_adapters(std::string_view name) const override {
    for (std::uint32_t i = 0; i <= limits_.adapter_sets; ++i) {
      if (name == (i == 0 ? "" : "set " + std::to_string(i))) return engine::AdapterSetId{i};
    }
    return fail(Code::invalid_argument, "no such adapter: " + std::string(name));
  }

  std::span<const float> logits(std::size_t index) override {
    CHECK(index < last_batch_.size() && last_batch_[index].wants_logits);
    row_.assign(limits_.vocabulary, 0.0F);
    const auto next = static_cast<std::size_t>(last_batch_[index].token + 1 +
                                               static_cast<Token>(adapters_.value)) % limits_.vocabulary;
    row_[next] = 10.0F;
    return row_;
  }

  Result<> truncate(engine::SequenceId sequence, std::uint32_t length) override {
    auto& tokens = sequences[sequence.value];
    CHECK(!limits_.is_append_only || length == 0 || length >= tokens.size());
    if (length == 0) stateless_.erase(sequence.value);
    if (tokens.size() > length) tokens.resize(length);
    if (length == 0) owners_.erase(sequence.value);
    auto& cells = cells_[sequence.value];
    for (; cells.size() > length; cells.pop_back()) {
      if (--holders_[cells.back()] == 0) free_cells_.push_back(cells.back());
    }
    return {};
  }
  Result<> share_prefix(engine::SequenceId from, engine::SequenceId to,
                        std::uint32_t length) override {
    CHECK(sequences[to.value].empty());
    const auto& source = sequences[from.value];
    CHECK(length <= source.size());
    if (owners_.contains(from.value)) owners_[to.value] = owners_[from.value];
    CHECK(!limits_.is_append_only || (length == source.size() && !stateless_.contains(from.value)));
    sequences[to.value].assign(source.begin(), source.begin() + length);
    const auto& cells = cells_[from.value];
    cells_[to.value].assign(cells.begin(), cells.begin() + length);
    for (const std::size_t cell : cells_[to.value]) ++holders_[cell];
    return {};
  }

  Result<Buffer> export_state(engine::SequenceId sequence, TokenRange range,
                              model::Completeness completeness) override {
    const auto& tokens = sequences[sequence.value];
    CHECK(range.end <= tokens.size());
    CHECK(!limits_.is_append_only || (range.end == tokens.size() && !stateless_.contains(sequence.value)));
    const std::size_t cells_bytes = range.count() * sizeof(Token);
    const bool has_state =
        limits_.has_recurrent_state && completeness == model::Completeness::whole;
    Buffer blob = TRY(Buffer::create(cells_bytes + (has_state ? sizeof(Token) : 0)));
    std::memcpy(blob.data(), tokens.data() + range.begin, cells_bytes);
    if (has_state) std::memcpy(blob.data() + cells_bytes, &range.end, sizeof(Token));
    return blob;
  }
  Result<model::Completeness> import_state(engine::SequenceId sequence, TokenRange range,
                                           ByteSpan blob) override {
    auto& tokens = sequences[sequence.value];
    CHECK(tokens.size() == range.begin);
    const std::size_t cells_bytes = range.count() * sizeof(Token);
    const bool has_state =
        limits_.has_recurrent_state && blob.size() == cells_bytes + sizeof(Token);
    if (blob.size() != cells_bytes && !has_state) return fail(Code::corrupt, "wrong size");
    TRY(check_free(range.count()));
    for (std::uint32_t i = 0; i < range.count(); ++i) cells_[sequence.value].push_back(take_cell());
    tokens.resize(range.end);
    std::memcpy(tokens.data() + range.begin, blob.data(), cells_bytes);
    const bool is_partial = limits_.has_recurrent_state && !has_state;
    if (is_partial) stateless_.insert(sequence.value);
    else stateless_.erase(sequence.value);
    return is_partial ? model::Completeness::partial : model::Completeness::whole;
  }

  Result<std::unique_ptr<engine::Sampler>> make_sampler(const engine::SamplingOptions&,
                                                        std::span<const Token>) override {
    struct Greedy final : engine::Sampler {
      Result<Token> sample(std::span<const float> logits) override {
        return static_cast<Token>(std::ranges::max_element(logits) - logits.begin());
      }
    };
    return std::make_unique<Greedy>();
  }
  Result<std::vector<Token>> tokenize(std::string_view text, bool) const override {
    std::vector<Token> out;
    for (const char c : text) out.push_back(static_cast<unsigned char>(c));
    return out;
  }
  std::string token_text(Token token, bool) const override {
    return std::string(1, static_cast<char>(token));
  }
  bool is_end_of_generation(Token token) const override { return token == end_token; }

 private:
  void take(std::span<const engine::BatchItem> items) {
    for (const engine::BatchItem& item : items) {
      CHECK(item.sequence.value >= 0 &&
            item.sequence.value < static_cast<std::int32_t>(limits_.sequences));
      auto& tokens = sequences[item.sequence.value];
      CHECK(item.position == tokens.size());
      CHECK(owners_.try_emplace(item.sequence.value, adapters_).first->second == adapters_);
      CHECK(!stateless_.contains(item.sequence.value));
      tokens.push_back(item.token);
      cells_[item.sequence.value].push_back(take_cell());
    }
  }
  Result<> check_free(std::size_t cells) {
    if (cells_used() + cells <= limits_.context_tokens) return {};
    ++refused_for_cells;
    return fail(Code::resource_exhausted, "no free cells");
  }
  std::size_t take_cell() {
    if (free_cells_.empty()) {
      holders_.push_back(1);
      return holders_.size() - 1;
    }
    const std::size_t cell = free_cells_.back();
    free_cells_.pop_back();
    holders_[cell] = 1;
    return cell;
  }

  engine::EngineLimits limits_;
  std::map<std::int32_t, std::vector<std::size_t>> cells_;  // of each sequence, by position
  std::set<std::int32_t> stateless_;                        // wait for their recurrent state
  std::vector<std::uint32_t> holders_;                      // sequences that hold the cell
  std::vector<std::size_t> free_cells_;
  std::vector<engine::BatchItem> last_batch_;
  engine::AdapterSetId adapters_;
  std::map<std::int32_t, engine::AdapterSetId> owners_;     // with what a sequence was computed
  std::vector<float> row_;
};

}  // namespace hearth::testing
