#pragma once
// Answers of an arm: which are wanted, how each is asked for, and what becomes a record. A generation is
// named by its prompt, its arm as pinned, and k, so an edited item or arm simply has none yet, and
// nothing is generated that is there. Pure but for generate().

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "hearth/eval/study/arms_file.h"
#include "hearth/eval/study/retry.h"
#include "hearth/eval/study/service.h"
#include "hearth/store/study.h"

namespace hearth::eval {

std::string generation_key(const Digest256& prompt, const Digest256& arm, std::uint32_t k);
std::uint32_t generation_seed(std::uint64_t seed, std::string_view item, std::uint32_t k);

struct WantedGeneration {
  const Item* item = nullptr;
  std::uint32_t k = 0;
  std::string key;
};
// By k, then item: a look is complete as early as can be. `items` outlive the result.
std::vector<WantedGeneration> wanted_generations(std::span<const Item* const> items, const Arm& arm,
                                                 std::uint32_t generations, const std::set<std::string>& present);

chat::ChatRequest generation_request(const Arm& arm, const Item& item, std::uint32_t k);

// What an arm did wrong, which is scored and never tried again: "empty", "loop" (it repeats itself up to
// its limit), "cut" (its limit came first); empty: nothing.
std::string answer_fault(std::string_view text, chat::AnswerEnd::Reason end);
std::string_view end_name(chat::AnswerEnd::Reason reason);

struct GenerationCourse {
  std::string arm;
  std::size_t done = 0, total = 0;  // of this call
  double seconds_left = 0;  // by the mean so far
  double cost_usd = 0;  // of all answers of this arm
};

struct GenerateOptions {
  RetryPolicy retry;
  std::function<void(const GenerationCourse&)> progress;
  std::function<std::int64_t()> now_s;  // since 1970
};

// Asks for each and keeps each as soon as it is there. Stops at the first that no try brings: an error
// that names arm and item; and before it could pay more than the arm's cap: resource_exhausted.
Result<> generate(const Arm& arm, std::span<const WantedGeneration> wanted, Service& service,
                  store::StudyStore& records, const GenerateOptions& options, const StopToken& stop);

}  // namespace hearth::eval
