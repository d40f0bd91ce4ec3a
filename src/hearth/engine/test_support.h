#pragma once
// What tests of the scheduler share: a reader of a job's events, and prompts.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hearth/engine/job.h"

namespace hearth::engine {

// Keeps every event of a job.
class Recorder final : public JobSink {
 public:
  bool has_room() override { return room; }
  void push(JobEvent event) override {
    EXPECT_FALSE(ended()) << "an event after the last one";
    events.push_back(std::move(event));
  }
  template <class T>
  std::vector<const T*> all() const {
    std::vector<const T*> out;
    for (const JobEvent& event : events) {
      if (const T* found = std::get_if<T>(&event)) out.push_back(found);
    }
    return out;
  }
  bool ended() const { return !all<Finished>().empty() || !all<Error>().empty(); }
  std::vector<Token> answer() const {
    std::vector<Token> out;
    for (const TokenDone* done : all<TokenDone>()) out.push_back(done->token);
    return out;
  }
  std::string text() const {
    std::string out;
    for (const TokenDone* done : all<TokenDone>()) out += done->text;
    for (const Finished* finished : all<Finished>()) out += finished->text;
    return out;
  }

  bool room = true;
  std::vector<JobEvent> events;
};

// What the scripted engine would write after `first`.
inline std::vector<Token> run_of(std::size_t count, Token first = 0) {
  std::vector<Token> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<Token>((static_cast<std::size_t>(first) + i) % 1000);
  }
  return out;
}

}  // namespace hearth::engine
