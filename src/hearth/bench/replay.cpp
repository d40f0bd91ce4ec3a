// Traces, open loop: a request goes out at its time, whether or not those before it are answered.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "hearth/base/thread.h"
#include "hearth/bench/runner.h"
#include "hearth/bench/statistics.h"

namespace hearth::bench {
namespace {

constexpr std::size_t gaps_kept_max = 32;

// Enough of a distribution that is pooled with thousands of others.
void thin(Sample& sample) {
  sample.progress.clear();
  if (sample.gaps_ms.size() <= gaps_kept_max) return;
  std::vector<double> kept;
  for (std::size_t i = 0; i < gaps_kept_max; ++i) {
    kept.push_back(quantile(sample.gaps_ms, static_cast<double>(i) / (gaps_kept_max - 1)));
  }
  sample.gaps_ms = std::move(kept);
}

class Replay {
 public:
  Replay(Target& target, const ReplayPlan& plan, const RunHooks& hooks, const StopToken& outside)
      : target_(target), plan_(plan), hooks_(hooks), outside_(outside), from_outside_(outside, [this] { stop_.request_stop(); }) {}

  Result<> run() {
    scale_ = TRY(bytes_per_token(target_, plan_.seed, plan_.request_time_max, outside_));
    began_ = SteadyClock().now();
    {
      std::vector<Thread> senders;
      const std::size_t count = std::min<std::size_t>(std::clamp(plan_.in_flight_max, 1U, streams_max), plan_.rows.size());
      for (std::size_t i = 0; i < count; ++i) senders.push_back(Thread("bench", [this] { send_rows(); }));
    }
    if (failure_) return std::unexpected(*failure_);
    if (outside_.stop_requested()) return fail(Code::cancelled, "interrupted");
    return {};
  }

 private:
  void send_rows() {
    for (;;) {
      std::size_t number = 0;
      {
        const std::lock_guard hold(mutex_);
        if (next_ == plan_.rows.size() || stop_.stop_requested()) return;
        number = next_++;
      }
      if (plan_.done.has(target_.info().name, {.workload = plan_.name}, static_cast<std::uint32_t>(number))) continue;
      const TraceRow& row = plan_.rows[number];
      Instant due = SteadyClock().now();
      if (plan_.speed > 0) {
        due = began_ + std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>((row.at_ms - plan_.rows.front().at_ms) / plan_.speed));
        if (due > SteadyClock().now() && stopped_while_waiting(stop_.token(), Deadline::at(due))) return;
      }
      finish(send(row, number, due));
    }
  }

  Sample send(const TraceRow& row, std::size_t number, Instant due) {
    TraceRow own = row;
    for (std::uint64_t& block : own.blocks) block = block * 2 + plan_.seed * 1'000'003;
    std::string text = row_text(own, number * 2 + plan_.seed * 7919, plan_.block_tokens, scale_);
    const Instant sent = SteadyClock().now();
    Sample out = target_.ask({.text = std::move(text), .answer_tokens = std::max(1U, row.answer_tokens)},
                             Deadline::after(plan_.request_time_max), stop_.token());
    out.target = target_.info().name;
    out.of = {.prompt_tokens = row.prompt_tokens, .answer_tokens = row.answer_tokens, .workload = plan_.name};
    out.repeat = static_cast<std::uint32_t>(number);
    out.sent_at_s = seconds(sent - began_);
    out.late_ms = std::max(0.0, milliseconds(sent - due));
    thin(out);
    return out;
  }

  void finish(const Sample& sample) {
    const std::lock_guard hold(mutex_);
    if (stop_.stop_requested()) return;  // cut off by us
    ++done_;
    if (hooks_.progress) hooks_.progress(fmt::format("{}: {}", sample.target, plan_.name), static_cast<double>(done_) / static_cast<double>(plan_.rows.size()));
    Result<> kept = hooks_.sink ? hooks_.sink(std::span(&sample, 1)) : Result<>();
    if (kept && hooks_.still_the_same) kept = hooks_.still_the_same();
    if (kept) return;
    if (!failure_) failure_ = kept.error();
    stop_.request_stop();
  }

  Target& target_;
  const ReplayPlan& plan_;
  const RunHooks& hooks_;
  const StopToken& outside_;
  StopSource stop_;
  const StopCallback from_outside_;
  double scale_ = 0;
  Instant began_{};
  std::mutex mutex_;
  std::size_t next_ = 0, done_ = 0;
  std::optional<Error> failure_;
};

}  // namespace

Result<> replay(const std::vector<Target*>& targets, const ReplayPlan& plan, const RunHooks& hooks, const StopToken& stop) {
  for (Target* target : targets) TRY(Replay(*target, plan, hooks, stop).run());
  return {};
}

}  // namespace hearth::bench
