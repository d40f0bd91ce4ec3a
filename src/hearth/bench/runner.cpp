#include "hearth/bench/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "hearth/base/thread.h"
#include "hearth/bench/prompt_text.h"

namespace hearth::bench {
namespace {

constexpr double bytes_per_token_unknown = 4;
// Long enough for a service that loads its model with the first request.
constexpr Duration probe_time_max = std::chrono::minutes(10);
constexpr std::size_t short_probe_bytes = 400, long_probe_bytes = 1'200;
constexpr double cold_share_max = 0.1, warm_share_min = 0.8;

// A seed for each text, so that none is met twice by accident.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) { return (a ^ (b + 0x9E3779B97F4A7C15ULL + (a << 6) + (a >> 2))) * 0xBF58476D1CE4E5B9ULL; }

// Was the cache as the case means it?
void find_cache_surprises(Sample& sample) {
  if (!sample.is_good() || sample.prompt_tokens == 0) return;
  const double cached = sample.cached_tokens;
  if (sample.of.depth == 0 && cached > cold_share_max * sample.prompt_tokens) {
    sample.findings.push_back(fmt::format("{} of {} tokens of a prompt that nobody had sent were cached", sample.cached_tokens, sample.prompt_tokens));
  }
  if (sample.of.depth > 0 && cached < warm_share_min * sample.of.depth) {
    sample.findings.push_back(fmt::format("of {} tokens that were sent before, {} were still cached", sample.of.depth, sample.cached_tokens));
  }
}

// One run: what its steps share.
class CaseRun {
 public:
  CaseRun(const std::vector<Target*>& targets, const RunPlan& plan, const RunHooks& hooks, const StopToken& stop)
      : targets_(targets), plan_(plan), hooks_(hooks), stop_(stop), began_(SteadyClock().now()) {}

  Result<> run() {
    const auto steps = steps_left();
    if (steps.empty()) return {};
    for (Target* target : targets_) {
      if (hooks_.progress) hooks_.progress(target->info().name + ": how it counts tokens", 0);
      scale_.push_back(TRY(bytes_per_token(*target, plan_.seed, plan_.request_time_max, stop_)));
    }
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (stop_.stop_requested()) return fail(Code::cancelled, "interrupted");
      const Step& step = steps[i];
      if (hooks_.progress) {
        hooks_.progress(fmt::format("{}: {}", targets_[step.target]->info().name, case_text(plan_.cases[step.case_index])),
                        static_cast<double>(i) / static_cast<double>(steps.size()));
      }
      TRY(run_step(step));
      if (hooks_.still_the_same) TRY(hooks_.still_the_same());
    }
    return {};
  }

 private:
  std::vector<Step> steps_left() const {
    auto out = schedule(targets_.size(), plan_.cases.size(), plan_.warm_ups, plan_.repeats);
    std::erase_if(out, [&](const Step& step) {
      return !step.is_warm_up && plan_.done.has(targets_[step.target]->info().name, plan_.cases[step.case_index], step.repeat);
    });
    if (std::ranges::all_of(out, &Step::is_warm_up)) out.clear();
    return out;
  }

  Result<> run_step(const Step& step) {
    const Case& of = plan_.cases[step.case_index];
    std::vector<Sample> samples(of.streams);
    const auto energy_before = hooks_.energy_j ? hooks_.energy_j() : std::nullopt;
    {
      std::vector<Thread> streams;
      for (std::uint32_t i = 1; i < of.streams; ++i) {
        streams.push_back(Thread("bench", [this, &step, &samples, i] { samples[i] = ask(step, i); }));
      }
      samples[0] = ask(step, 0);
    }
    const auto energy_after = hooks_.energy_j ? hooks_.energy_j() : std::nullopt;
    if (step.is_warm_up) return {};
    if (stop_.stop_requested()) return fail(Code::cancelled, "interrupted");  // half a measurement is none
    for (Sample& sample : samples) {
      if (energy_before && energy_after && *energy_after >= *energy_before) sample.energy_j = (*energy_after - *energy_before) / of.streams;
    }
    return hooks_.sink ? hooks_.sink(samples) : Result<>();
  }

  Sample ask(const Step& step, std::uint32_t stream) {
    const Case& of = plan_.cases[step.case_index];
    Target& target = *targets_[step.target];
    const std::uint64_t round = step.is_warm_up ? ~std::uint64_t{step.repeat} : step.repeat;
    const std::uint64_t seed = mix(mix(mix(mix(plan_.seed, step.target), step.case_index), round), stream);
    const auto bytes = [&](std::uint32_t tokens) { return static_cast<std::size_t>(tokens * scale_[step.target]); };
    const Deadline deadline = Deadline::after(plan_.request_time_max);
    std::string text;
    if (of.depth > 0) {
      text = prompt_text(seed, bytes(of.depth));
      (void)target.ask({.text = text, .answer_tokens = 1}, deadline, stop_);  // a failure shows in what follows
    }
    text += prompt_text(~seed, bytes(of.prompt_tokens));
    const double sent_at_s = seconds(SteadyClock().now() - began_);
    Sample out = target.ask({.text = std::move(text), .answer_tokens = of.answer_tokens}, deadline, stop_);
    out.target = target.info().name;
    out.of = of;
    out.repeat = step.repeat;
    out.sent_at_s = sent_at_s;
    find_cache_surprises(out);
    return out;
  }

  const std::vector<Target*>& targets_;
  const RunPlan& plan_;
  const RunHooks& hooks_;
  const StopToken& stop_;
  const Instant began_;
  std::vector<double> scale_;  // bytes a token, by target
};

}  // namespace

Result<double> bytes_per_token(Target& target, std::uint64_t seed, Duration time_max, const StopToken& stop) {
  // Twice, so that what a chat format adds does not count.
  Sample samples[2];
  for (const std::size_t i : {0UL, 1UL}) {
    samples[i] = target.ask({.text = prompt_text(mix(seed, 77 + i), i == 0 ? short_probe_bytes : long_probe_bytes), .answer_tokens = 1},
                            Deadline::after(std::min(time_max, probe_time_max)), stop);
    if (stop.stop_requested()) return fail(Code::cancelled, "interrupted");
    if (!samples[i].is_good()) return fail(Code::unavailable, fmt::format("{}: {}", target.info().name, samples[i].failure));
  }
  if (samples[1].prompt_tokens <= samples[0].prompt_tokens) return bytes_per_token_unknown;
  return static_cast<double>(long_probe_bytes - short_probe_bytes) / (samples[1].prompt_tokens - samples[0].prompt_tokens);
}

Result<> run_cases(const std::vector<Target*>& targets, const RunPlan& plan, const RunHooks& hooks, const StopToken& stop) {
  return CaseRun(targets, plan, hooks, stop).run();
}

}  // namespace hearth::bench
