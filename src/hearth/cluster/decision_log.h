#pragma once
// What was decided for each request, what it was worth, and when to try the road not taken.
//
// The regret of a decision is how much longer it took than the best alternative: as predicted, or
// as measured where a shadow check ran it too. It is what the choice costs; zero is perfect.
// Not thread-safe. No clock; bounded.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "hearth/base/json.h"
#include "hearth/base/random.h"
#include "hearth/cluster/parity.h"
#include "hearth/cluster/prefill_choice.h"

namespace hearth::cluster {

inline constexpr std::size_t decisions_max = 1'000;
inline constexpr std::size_t canaries_max = 100;

// How far predictions were off, lately: the typical |actual / predicted - 1|.
class PredictionError {
 public:
  void observe(double predicted_s, double actual_s);
  double share() const { return share_; }

 private:
  double share_ = 0.16;  // while nothing is known
  std::uint32_t count_ = 0;
};

struct DecidedOption {
  std::string name;
  std::optional<double> predicted_s;
  std::optional<double> measured_s;  // the chosen one, or by a shadow check
  std::string excluded;
  PrefillTerms terms;
};

struct Decision {
  std::uint64_t id = 0;
  std::string request;
  std::vector<DecidedOption> options;
  std::optional<std::size_t> chosen;
  std::string sentence;
  std::string outcome = "running";  // then "as chosen", "finished locally: why", "failed: why"

  std::optional<double> actual_s() const;
  std::optional<double> best_s() const;    // of everything known about this decision
  std::optional<double> regret_s() const;  // never below 0
};

struct RegretSummary {
  std::uint64_t decisions = 0;   // with an actual time, ever
  std::uint64_t right = 0;       // within 10 % of the best
  double actual_s = 0, regret_s = 0;  // sums
};

// A pair that was tried again in service.
struct Canary {
  std::string peer;
  std::optional<Parity> parity;  // absent: it could not be tried
  std::string fault;             // why it is not trusted; empty: it passed
};

// Small on purpose: shadow checks cost what they measure.
struct ShadowPolicy {
  double request_share_max = 0.02;  // of requests
  double seconds_share_max = 0.02;  // of the seconds that requests took
  double worth_factor = 2;          // no road predicted to be longer than this times the best
};

class DecisionLog {
 public:
  explicit DecisionLog(std::uint64_t seed, ShadowPolicy policy = {});

  std::uint64_t add(std::string request, const Choice& choice);
  // Seconds to the first token. `as_chosen` false: another way was taken in the end (`outcome`
  // says which); such a time says nothing about the prediction, but counts as regret.
  void on_finished(std::uint64_t id, double actual_s, bool as_chosen, std::string outcome);
  void on_failed(std::uint64_t id, std::string outcome);
  void on_canary(Canary canary);
  void on_shadow(std::uint64_t id, std::size_t option, double measured_s);

  // The option of decision `id` to run again by another way, now that it is over. Ask when nothing
  // else is to do; usually there is none.
  std::optional<std::size_t> shadow_check(std::uint64_t id, bool is_idle);

  double error_share() const { return error_.share(); }
  const RegretSummary& summary() const { return summary_; }
  const std::deque<Decision>& decisions() const { return decisions_; }
  // {"decisions": [...newest last...], "canaries": [...], "summary": {...}}
  Json to_json() const;

 private:
  Decision* find(std::uint64_t id);
  void count(const Decision& decision);

  Random random_;
  ShadowPolicy policy_;
  PredictionError error_;
  RegretSummary summary_;
  double shadow_s_ = 0;
  std::uint64_t shadows_ = 0;
  std::uint64_t last_id_ = 0;
  std::deque<Decision> decisions_;
  std::deque<Canary> canaries_;
};

Json decision_json(const Decision& decision);

}  // namespace hearth::cluster
