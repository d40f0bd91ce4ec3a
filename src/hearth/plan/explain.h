#pragma once
// The whole answer for one quantisation and one workload: plans, verdict, what each machine and
// cable is worth, and what the answer hangs on. Pure.

#include <optional>
#include <string>
#include <vector>

#include "hearth/plan/engines.h"
#include "hearth/plan/plan.h"

namespace hearth::plan {

struct Question {
  const Catalog* catalog = nullptr;            // must outlive the answer's making
  const Calibrations* calibrations = nullptr;  // likewise
  ClusterSpec cluster{};
  ModelCard card{};
  Workload workload{};
  Options options{};
};

struct Verdict {
  bool go = false;
  std::string why{};
  std::optional<std::size_t> plan{};  // index of the plan judged: the best that some engine can run
};

// What changes when something is taken away or added.
struct Marginal {
  std::string without{};  // "spark-1", "link studio – laptop"; empty when something is added
  std::string with{};     // "25 GbE on all 10gbe links"
  std::string effect{};
  std::optional<double> turn_s_before{};
  std::optional<double> turn_s_after{};  // absent: no plan is left
  std::optional<double> decode_tok_s_before{};
  std::optional<double> decode_tok_s_after{};
};

// Does this machine help or hurt decode when one model is spread over the machines?
struct PoolEffect {
  std::size_t node = 0;
  std::optional<double> decode_tok_s_with{};     // best pool that gives it at least one layer
  std::optional<double> decode_tok_s_without{};  // best pool that leaves it out
  std::string verdict{};  // "helps", "hurts", "needed", "makes no difference"
};

struct Answer {
  Question question{};
  SearchResult result{};
  std::vector<std::vector<EngineFit>> engines{};  // for each plan
  Verdict verdict{};
  std::vector<Marginal> marginal{};
  std::vector<PoolEffect> pool_effects{};
  std::optional<double> decode_tok_s_by_memory{};  // all machines, layers by memory share
  std::string sensitivity{};
};

Answer answer(Question question);

}  // namespace hearth::plan
