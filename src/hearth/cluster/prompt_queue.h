#pragma once
// The prompts that one worker computes, each until its first token: what a new one may have to wait for, and
// whether the time that one took says how fast the worker is.
//
// A value; no clock; bounded: beyond its bound the one with the least left is forgotten.

#include <cstdint>
#include <map>
#include <vector>

#include "hearth/base/clock.h"

namespace hearth::cluster {

inline constexpr std::size_t prompt_queue_max = 256;

class PromptQueue {
 public:
  // `work_s`: predicted, without any wait; 0: nobody knows.
  void begin(std::uint64_t request, double work_s, Instant now);
  // Whether it had the worker to itself. True too of one that was never begun.
  bool end(std::uint64_t request, Instant now);
  // The same, of one that goes on.
  bool is_alone(std::uint64_t request) const;
  // Of the work of each that should not be done yet. The worker does the least first.
  std::vector<double> left_s(Instant now) const;
  bool has_none() const { return prompts_.empty(); }

 private:
  struct Prompt {
    double left_s = 0;
    bool was_alone = true;
  };
  using Prompts = std::map<std::uint64_t, Prompt>;
  Prompts advanced(Instant now) const;
  void advance(Instant now);

  Prompts prompts_;
  Instant as_of_{};
};

}  // namespace hearth::cluster
