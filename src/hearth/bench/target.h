#pragma once
// Something that answers prompts and is measured: a worker, a pair of workers, a service over HTTP.

#include <functional>

#include "hearth/base/clock.h"
#include "hearth/base/stop.h"
#include "hearth/bench/sample.h"

namespace hearth::bench {

struct TargetInfo {
  std::string name;     // of the run's tables; unique in it
  std::string kind;     // "worker", "split", "llama-server", …
  std::string model, build;
  std::optional<double> load_s;  // how long loading took, where we saw it
};

// Greedy; nothing is repeated.
struct Ask {
  std::string text;
  std::uint32_t answer_tokens = 1;
};

class Target {
 public:
  virtual ~Target() = default;
  virtual const TargetInfo& info() const = 0;
  // One request from sending to its last token. What fails is in the sample, which lacks the fields that
  // the caller knows (target, case, repeat). Several threads may ask at once.
  virtual Sample ask(const Ask& ask, Deadline deadline, const StopToken& stop) = 0;
};

}  // namespace hearth::bench
