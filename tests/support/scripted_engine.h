#pragma once
// A double of Engine for tests of what stands on top of it: cheap, strict and able to fail on
// request. Its "model" continues a token t with t + 1 modulo the vocabulary; its KV blob is the
// token ids of the range, so a test sees where wrong state came from. It checks what libllama
// would not: gaps, duplicates, sequences out of range, too many cells.

#include <algorithm>
#include <cstring>
#include <map>
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
  std::vector<Error> decode_errors;      // served once each, in order, instead of decoding
  std::function<void()> before_decode;   // runs at the start of each decode
  std::vector<std::size_t> batch_sizes;
  std::vector<std::vector<engine::BatchItem>> batches;
  std::map<std::int32_t, std::vector<Token>> sequences;

  std::size_t cells_used() const {
    std::size_t used = 0;
    for (const auto& [id, tokens] : sequences) used += tokens.size();
    return used;
  }

  const engine::EngineLimits& limits() const override { return limits_; }

  Result<> decode(std::span<const engine::BatchItem> items, const StopToken& stop) override {
    CHECK(!items.empty() && items.size() <= limits_.batch_tokens);
    batch_sizes.push_back(items.size());
    batches.emplace_back(items.begin(), items.end());
    if (before_decode) before_decode();
    if (!decode_errors.empty()) {
      const Error error = decode_errors.front();
      decode_errors.erase(decode_errors.begin());
      return std::unexpected(error);
    }
    if (stop.stop_requested()) return fail(Code::cancelled, "cancelled");
    for (const engine::BatchItem& item : items) {
      CHECK(item.sequence.value >= 0 &&
            item.sequence.value < static_cast<std::int32_t>(limits_.sequences));
      auto& tokens = sequences[item.sequence.value];
      CHECK(item.position == tokens.size());
      tokens.push_back(item.token);
    }
    last_batch_.assign(items.begin(), items.end());
    return {};
  }

  std::span<const float> logits(std::size_t index) override {
    CHECK(index < last_batch_.size() && last_batch_[index].wants_logits);
    row_.assign(limits_.vocabulary, 0.0F);
    const auto next = static_cast<std::size_t>(last_batch_[index].token + 1) % limits_.vocabulary;
    row_[next] = 10.0F;
    return row_;
  }

  Result<> truncate(engine::SequenceId sequence, std::uint32_t length) override {
    auto& tokens = sequences[sequence.value];
    if (tokens.size() > length) tokens.resize(length);
    return {};
  }
  Result<> share_prefix(engine::SequenceId from, engine::SequenceId to,
                        std::uint32_t length) override {
    CHECK(sequences[to.value].empty());
    const auto& source = sequences[from.value];
    CHECK(length <= source.size());
    sequences[to.value].assign(source.begin(), source.begin() + length);
    return {};
  }

  Result<Buffer> export_state(engine::SequenceId sequence, TokenRange range) override {
    const auto& tokens = sequences[sequence.value];
    CHECK(range.end <= tokens.size());
    Buffer blob = TRY(Buffer::create(range.count() * sizeof(Token)));
    std::memcpy(blob.data(), tokens.data() + range.begin, blob.size());
    return blob;
  }
  Result<> import_state(engine::SequenceId sequence, TokenRange range, ByteSpan blob) override {
    auto& tokens = sequences[sequence.value];
    CHECK(tokens.size() == range.begin);
    if (blob.size() != range.count() * sizeof(Token)) return fail(Code::corrupt, "wrong size");
    tokens.resize(range.end);
    std::memcpy(tokens.data() + range.begin, blob.data(), blob.size());
    return {};
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
  engine::EngineLimits limits_;
  std::vector<engine::BatchItem> last_batch_;
  std::vector<float> row_;
};

}  // namespace hearth::testing
