#pragma once
// Loads a model and asks it things: for the tests and the measurement of the synthetic models.
// Greedy decoding, flash attention on. Not for products: one thread, one model, blunt errors.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "hearth/base/result.h"
#include "hearth/engine/synth/facts.h"

namespace hearth::engine {

struct ProbeOptions {
  bool q8_0_cache = false;
  std::uint32_t context_tokens = 4096;
  int threads = 2;
};

class RetrievalProbe {
 public:
  static Result<RetrievalProbe> open(const std::filesystem::path& model,
                                     const ProbeOptions& options);
  RetrievalProbe(RetrievalProbe&&) noexcept;
  ~RetrievalProbe();

  // Token ids; markup in `text` counts as such when `with_markup`.
  std::vector<std::int32_t> tokenize(const std::string& text, bool with_markup) const;
  std::string detokenize(const std::vector<std::int32_t>& tokens) const;
  std::string metadata(const std::string& key) const;
  std::uint64_t parameter_count() const;

  // Forgets everything, then reads `text`.
  Result<> read(const std::string& text, bool with_markup);
  // Reads `question` after what was read, answers with up to `tokens_max` tokens, then forgets
  // question and answer. An end token shows as its text and ends the answer.
  Result<std::string> ask(const std::string& question, std::size_t tokens_max);
  // Mean negative log-likelihood of `answer` (nats a token) after what was read and `question`;
  // then forgets both.
  Result<double> surprise(const std::string& question, const std::string& answer);

 private:
  struct State;
  explicit RetrievalProbe(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// How many of the facts come back word for word.
Result<std::size_t> count_found(RetrievalProbe& probe, const PlantedText& planted);

}  // namespace hearth::engine
