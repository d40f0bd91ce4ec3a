#include "hearth/node/probe/model_probe.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/base/check.h"
#include "hearth/base/random.h"

namespace hearth::node {
namespace {

constexpr Duration event_time_max = std::chrono::minutes(10);
constexpr std::uint32_t spare_tokens = 512;
constexpr std::uint32_t context_multiple = 1024;
// Something stops a computer for some tens of milliseconds once or twice a second. Steps of a millisecond or two are timed
// for as long as that takes to even out.
constexpr double decode_sample_s_min = 1.0;
constexpr int decode_windows_max = 16;

double since(Instant begin) { return seconds(std::chrono::steady_clock::now() - begin); }

struct Timing {
  double first_s = 0;  // to the first token
  double rest_s = 0;   // from there to the last
};

class Prober {
 public:
  Prober(LocalRun& run, const ModelProbeOptions& options, const StopToken& stop)
      : run_(run), options_(options), stop_(stop), random_(options.seed) {}

  Result<ProbeRun> decode(ProbePoint point) {
    std::vector<double> samples;
    TRY(grow_base(point.depth));
    point.tokens = TRY(decode_window_tokens(point));
    for (std::uint32_t i = 0; i < options_.repetitions; ++i) {
      samples.push_back(TRY(decode_window_s(point)));
    }
    return ProbeRun{"decode", point, summarise(std::move(samples))};
  }

  // `step_s`: the first token's own step, which follows each prefill.
  Result<Measured> prefill(const ProbePoint& point, double step_s) {
    std::vector<double> samples;
    TRY(grow_base(point.depth));
    for (std::uint32_t i = 0; i < options_.repetitions; ++i) {
      const auto timing = TRY(time(prompt_of(point.depth, point.tokens), 1));
      samples.push_back(std::max(timing.first_s - step_s, 1e-6));
    }
    return summarise(std::move(samples));
  }

  Result<Measured> handoff() {
    std::vector<double> samples;
    const AnswerOptions answer{.tokens_max = 1, .ignore_eos = true};
    for (std::uint32_t i = 0; i <= options_.repetitions; ++i) {
      const auto alone = TRY(time(prompt_of(0, options_.handoff_tokens), 1));
      const auto split = TRY(run_.answer(prompt_of(0, options_.handoff_tokens), answer, stop_));
      // The first one opens connections.
      if (i > 0) samples.push_back(std::max(0.0, split.ttft_ms / 1e3 - alone.first_s));
    }
    return summarise(std::move(samples));
  }

 private:
  // As many as fill a sample, by a first window that counts for nothing else.
  Result<std::uint32_t> decode_window_tokens(const ProbePoint& point) {
    const double step_s = TRY(time(prompt_of(point.depth, 1), point.tokens + 1)).rest_s / point.tokens;
    const double filling = decode_sample_s_min / std::max(step_s, 1e-6);
    const auto most = std::max(point.tokens, decode_window_tokens_max);
    return static_cast<std::uint32_t>(std::clamp<double>(filling, point.tokens, most));
  }
  // The mean of as many windows as make a sample long enough.
  Result<double> decode_window_s(const ProbePoint& point) {
    double sum_s = 0;
    int windows = 0;
    do {
      sum_s += TRY(time(prompt_of(point.depth, 1), point.tokens + 1)).rest_s;
      ++windows;
    } while (sum_s < decode_sample_s_min && windows < decode_windows_max);
    return sum_s / windows;
  }
  std::vector<Token> random_tokens(std::size_t count) {
    std::vector<Token> out(count);
    for (Token& token : out) token = static_cast<Token>(random_.below(run_.info().limits.vocabulary));
    return out;
  }
  // `depth` tokens that are held, then `fresh` ones that nobody has seen.
  std::vector<Token> prompt_of(std::uint32_t depth, std::uint32_t fresh) {
    std::vector<Token> out(base_.begin(), base_.begin() + depth);
    const auto more = random_tokens(fresh);
    out.insert(out.end(), more.begin(), more.end());
    return out;
  }
  Result<> grow_base(std::uint32_t depth) {
    if (base_.size() < depth) {
      const auto more = random_tokens(depth - base_.size());
      base_.insert(base_.end(), more.begin(), more.end());
    }
    if (depth == 0) return {};
    TRY(time(prompt_of(depth, 1), 1));  // so that the next prompt finds it: a prompt from 0 has overwritten it
    return {};
  }

  Result<Timing> time(std::vector<Token> prompt, std::uint32_t tokens) {
    const Instant began = std::chrono::steady_clock::now();
    engine::GenerateRequest request;
    request.prompt = std::move(prompt);
    request.tokens_max = tokens;
    request.ignore_eos = true;
    const auto generation =
        TRY(run_.decode_client().generate(request, Deadline::after(event_time_max), stop_));
    Timing out;
    std::uint32_t seen = 0;
    for (;;) {
      engine::JobEvent event = TRY(generation->next(Deadline::after(event_time_max)));
      if (std::holds_alternative<engine::TokenDone>(event)) {
        (seen++ == 0 ? out.first_s : out.rest_s) = since(began);
      } else if (auto* error = std::get_if<Error>(&event)) {
        return std::unexpected(std::move(*error));
      } else if (std::holds_alternative<engine::Finished>(event)) {
        break;
      }
    }
    if (seen < tokens) return fail(Code::unavailable, fmt::format("{} of {} tokens were told", seen, tokens));
    out.rest_s = std::max(0.0, out.rest_s - out.first_s);
    return out;
  }

  LocalRun& run_;
  const ModelProbeOptions& options_;
  const StopToken& stop_;
  Random random_;
  std::vector<Token> base_;
};

double token_s(const ProbeRun& run) { return run.seconds.median / run.point.tokens; }

const ProbeRun& faster(const ProbeRun& first, const ProbeRun& second) {
  return token_s(second) < token_s(first) ? second : first;
}
// A difference of two times is not surely too large: the one of less scatter.
const Measured& steadier(const Measured& first, const Measured& second) {
  return second.spread < first.spread ? second : first;
}

// Of the decode run nearest in depth.
double step_s_at(const std::vector<ProbeRun>& runs, std::uint32_t depth) {
  const auto distance = [&](const ProbeRun& run) {
    return std::max(run.point.depth, depth) - std::min(run.point.depth, depth);
  };
  const auto nearest = std::ranges::min_element(runs, {}, distance);
  return nearest == runs.end() ? 0 : token_s(*nearest);
}

}  // namespace

ModelProbeOptions reaching(std::uint32_t deepest_tokens) {
  ModelProbeOptions out;
  const ProbePoint pass = out.prefill.back(), window = out.decode.back();
  for (std::uint64_t depth = usual_depth_tokens; depth < deepest_tokens;) {
    depth = std::min<std::uint64_t>(2 * depth, deepest_tokens);
    const auto end = static_cast<std::uint32_t>(depth);
    out.prefill.push_back({end - pass.tokens, pass.tokens});
    out.decode.push_back({end, window.tokens});
  }
  return out;
}

ModelProbe faster_of(const ModelProbe& first, const ModelProbe& second) {
  CHECK(first.runs.size() == second.runs.size());
  ModelProbe out = first;
  for (std::size_t i = 0; i < out.runs.size(); ++i) {
    out.runs[i] = faster(first.runs[i], second.runs[i]);
  }
  if (first.handoff_s && second.handoff_s) out.handoff_s = steadier(*first.handoff_s, *second.handoff_s);
  return out;
}

std::uint32_t context_for(const ModelProbeOptions& options) {
  std::uint32_t deepest = options.handoff_tokens;
  for (const ProbePoint& point : options.prefill) deepest = std::max(deepest, point.depth + point.tokens);
  for (const ProbePoint& point : options.decode) {
    deepest = std::max(deepest, point.depth + std::max(point.tokens, decode_window_tokens_max));
  }
  const std::uint32_t tokens = deepest + spare_tokens;
  return (tokens + context_multiple - 1) / context_multiple * context_multiple;
}

Result<ModelProbe> probe_model(LocalRun& run, const ModelProbeOptions& options,
                               const std::function<void(double fraction)>& progress,
                               const StopToken& stop) {
  Prober prober(run, options, stop);
  ModelProbe out;
  const double steps = static_cast<double>(options.prefill.size() + options.decode.size() + 1);
  const auto report = [&](std::size_t done) {
    if (progress) progress(static_cast<double>(done) / steps);
  };
  for (const ProbePoint& point : options.decode) {
    report(out.runs.size());
    ProbeRun measured = TRY(prober.decode(point));
    out.runs.push_back(std::move(measured));
  }
  const std::vector<ProbeRun> decoded = out.runs;
  for (const ProbePoint& point : options.prefill) {
    report(out.runs.size());
    const auto measured = TRY(prober.prefill(point, step_s_at(decoded, point.depth)));
    out.runs.push_back({"prefill", point, measured});
  }
  report(out.runs.size());
  if (run.prefill_process() != nullptr) out.handoff_s = TRY(prober.handoff());
  return out;
}

}  // namespace hearth::node
