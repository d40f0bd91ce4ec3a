// hearth bench: what does it really cost? Also compare, ls, show: runs that were measured before.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>

#include "hearth/base/file.h"
#include "hearth/bench/runner.h"
#include "hearth/cli/bench_output.h"
#include "hearth/cli/bench_plan.h"
#include "hearth/cli/bench_setting.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/node/probe/energy_meter.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t trace_bytes_max = 4ULL << 30;

Result<store::BenchRows> open_database(const BenchFlags& flags) {
  std::filesystem::path file = flags.database;
  if (file.empty()) {
    file = TRY(cache_directory()) / "bench.db";
    TRY(real_file_system()->create_directories(file.parent_path()));
  }
  return store::BenchRows::open(file);
}

// "512,2048" and the flag twice are two numbers.
Result<std::vector<std::uint32_t>> numbers(const char* flag, const std::vector<std::string>& texts, std::vector<std::uint32_t> otherwise, std::uint32_t least) {
  std::vector<std::uint32_t> out;
  for (const std::string& text : texts) {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      std::uint32_t number = 0;
      const auto [stop, error] = std::from_chars(text.data() + begin, text.data() + end, number);
      if (error != std::errc() || stop != text.data() + end || number < least) {
        return fail(Code::invalid_argument, fmt::format("{} {}: expected whole numbers from {} on, such as 512,2048", flag, text, least));
      }
      out.push_back(number);
      begin = end + 1;
    }
  }
  return out.empty() ? otherwise : out;
}

Result<std::vector<bench::Case>> cases_of(const BenchFlags& flags) {
  std::vector<bench::Case> out;
  for (const std::uint32_t streams : TRY(numbers("--streams", flags.streams, {1}, 1))) {
    if (streams > bench::streams_max) return fail(Code::invalid_argument, fmt::format("--streams {}: at most {}", streams, bench::streams_max));
    for (const std::uint32_t depth : TRY(numbers("--depth", flags.depths, {0}, 0))) {
      for (const std::uint32_t tokens : TRY(numbers("--prompt-tokens", flags.prompt_tokens, {512, 2048}, 1))) {
        out.push_back({.prompt_tokens = tokens, .depth = depth, .answer_tokens = flags.answer_tokens, .streams = streams});
      }
    }
  }
  return out;
}

Result<> check_flags(const BenchFlags& flags) {
  const auto bad = [](std::string what) { return fail(Code::invalid_argument, std::move(what)); };
  const std::pair<const char*, std::uint64_t> counts[] = {{"--repeats", flags.repeats}, {"--answer-tokens", flags.answer_tokens}, {"--sessions", flags.sessions},
                                                          {"--in-flight", flags.in_flight}, {"--block-tokens", flags.block_tokens}};
  for (const auto& [flag, value] : counts) {
    if (value == 0) return bad(fmt::format("{}: 0 measures nothing, give at least 1", flag));
  }
  if (!flags.trace.empty() && flags.agent_turns > 0) return bad("--trace and --agents: one of them");
  if (!(flags.scale > 0)) return bad(fmt::format("--scale {}: expected a number above 0, such as 0.02", flags.scale));
  if (!(flags.speed >= 0)) return bad(fmt::format("--speed {}: expected 0 (without waiting) or more", flags.speed));
  if (!(flags.time_max_s > 0)) return bad(fmt::format("--time-max {}: expected seconds above 0", flags.time_max_s));
  return {};
}

Duration time_max(const BenchFlags& flags) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::clamp(flags.time_max_s, 0.001, 1e7)));
}

Result<std::optional<bench::ReplayPlan>> replay_of(const BenchFlags& flags) {
  if (flags.trace.empty() && flags.agent_turns == 0) return std::nullopt;
  bench::ReplayPlan out{.block_tokens = flags.block_tokens, .speed = flags.speed, .in_flight_max = flags.in_flight, .seed = flags.seed,
                        .request_time_max = time_max(flags)};
  if (!flags.trace.empty()) {
    out.name = flags.trace.stem().string();
    out.rows = TRY(bench::parse_trace(TRY(read_text_file(flags.trace, trace_bytes_max)), flags.trace.string()));
    return out;
  }
  out.name = fmt::format("{} agent turns", flags.agent_turns);
  out.block_tokens = std::max(1U, static_cast<std::uint32_t>(flags.block_tokens * flags.scale));
  out.rows = bench::agent_sessions({.turns = flags.agent_turns, .sessions = flags.sessions, .scale = flags.scale, .seed = flags.seed}, out.block_tokens);
  return out;
}

std::string state_of(const Result<>& done) {
  if (done) return "done";
  if (done.error().code == Code::cancelled) return "interrupted";
  return (done.error().code == Code::corrupt ? "void: " : "failed: ") + done.error().message;
}

struct Begun {
  std::int64_t run = 0;
  bench::Done done;  // of it, before
};

Result<Begun> begin_run(store::BenchRows& rows, const store::BenchRun& fresh, bool resume) {
  Begun out;
  if (resume) {
    if (const auto known = TRY(rows.go_on(fresh.name, fresh.plan))) {
      out.run = *known;
      TRY(rows.samples(*known, [&](const std::string& text) -> Result<> {
        out.done.add(TRY(bench::parse_sample(text)));
        return {};
      }));
      return out;
    }
  }
  out.run = TRY(rows.begin(fresh));
  return out;
}

std::vector<std::filesystem::path> models_of(const std::vector<TargetName>& targets) {
  std::vector<std::filesystem::path> out;
  for (const TargetName& one : targets) {
    if (!one.model.empty()) out.push_back(one.model);
  }
  return out;
}

struct Measured {
  BenchResult result;
  Result<> done;
};

Result<Measured> measure(const BenchFlags& flags, Progress& progress, const StopToken& stop) {
  TRY(check_flags(flags));
  auto replay = TRY(replay_of(flags));
  const auto cases = replay ? std::vector<bench::Case>() : TRY(cases_of(flags));
  const auto names = TRY(target_names(flags.targets));
  Json predicted;
  if (!flags.predict.clusters.empty()) predicted = predictions_json(TRY(predict_cases(flags.predict, names, cases, stop)));
  auto rows = TRY(open_database(flags));
  auto watch = TRY(watch_models(models_of(names), progress, stop));  // before anything of them is loaded
  BenchTargets opened = TRY(open_targets(flags.targets, flags.worker, progress, stop));
  std::vector<bench::Target*> targets;
  std::vector<bench::TargetInfo> infos;
  for (const auto& target : opened.targets) {
    targets.push_back(target.get());
    infos.push_back(target->info());
  }
  const std::int64_t now_s = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  node::EnergyMeter energy;
  Json environment = bench_environment(infos, watch.files(), energy.parts());
  environment.set("settings", bench_settings(flags));
  const store::BenchRun fresh{.name = flags.name, .started_s = now_s, .environment = dump_json(environment),
                              .plan = dump_json(bench_plan(flags, cases, environment, predicted))};
  auto [run, done_before] = TRY(begin_run(rows, fresh, flags.resume));
  if (replay) replay->done = done_before;
  const auto keep = [&](std::span<const bench::Sample> samples) {
    std::vector<store::BenchSample> kept;
    for (const bench::Sample& sample : samples) kept.push_back({sample.target, dump_json(bench::sample_json(sample))});
    return rows.add(run, kept);
  };
  const bench::RunHooks hooks{.sink = keep,
                              .progress = [&](std::string_view what, double share) { progress.update(what, share); },
                              .energy_j = [&] { return energy.joules(); },
                              .still_the_same = [&] { return watch.look(stop); }};
  const Result<> done = replay ? bench::replay(targets, *replay, hooks, stop)
                               : bench::run_cases(targets, {.cases = cases, .warm_ups = flags.warm_ups, .repeats = flags.repeats, .seed = flags.seed, .request_time_max = time_max(flags), .done = done_before}, hooks, stop);
  progress.clear();
  TRY(rows.end(run, state_of(done)));
  return Measured{TRY(load_run(rows, std::to_string(run))), done};
}

Result<> write_files(const BenchFlags& flags, const BenchResult& result) {
  if (!flags.html.empty()) TRY(write_report(result, flags.html));
  if (!flags.csv.empty()) TRY(write_text_file(flags.csv, bench::rows_csv(result.rows)));
  return {};
}

void print_result(const BenchFlags& flags, const BenchResult& result) {
  if (flags.json) std::puts(dump_json(result_json(result), 2).c_str());
  else std::fputs(result_text(result).c_str(), stdout);
}

int run(const BenchFlags& flags, const StopToken& stop) {
  Progress progress(flags.json);
  const auto measured = measure(flags, progress, stop);
  progress.clear();
  if (!measured) return report(measured.error());
  print_result(flags, measured->result);
  if (const auto written = write_files(flags, measured->result); !written) return report(written.error());
  if (measured->done) return exit_done;
  report(measured->done.error());
  return measured->done.error().code == Code::cancelled ? static_cast<int>(exit_interrupted) : exit_code_of(measured->done.error());
}

int show(const BenchFlags& flags) {
  auto rows = open_database(flags);
  if (!rows) return report(rows.error());
  const auto result = load_run(*rows, flags.which.empty() ? "last" : flags.which.front());
  if (!result) return report(result.error());
  print_result(flags, *result);
  const auto written = write_files(flags, *result);
  return written ? exit_done : report(written.error());
}

int list(const BenchFlags& flags) {
  auto rows = open_database(flags);
  if (!rows) return report(rows.error());
  const auto runs = rows->runs();
  if (!runs) return report(runs.error());
  Json out = Json::array();
  Table table({">run", "name", "begun", ">requests", "state"});
  for (const store::BenchRun& one : *runs) {
    out.push(Json::object({{"run", one.id}, {"name", one.name}, {"started_s", one.started_s}, {"samples", one.samples}, {"state", one.state}}));
    table.add({std::to_string(one.id), one.name, started_text(one), std::to_string(one.samples), one.state});
  }
  if (flags.json) std::puts(dump_json(Json::object({{"runs", std::move(out)}}), 2).c_str());
  else std::fputs(table.text().c_str(), stdout);
  return exit_done;
}

Result<std::vector<bench::Change>> changes(const BenchFlags& flags) {
  if (flags.which.size() != 2) return fail(Code::invalid_argument, "two runs are compared, by number or name: hearth bench compare 3 4");
  auto rows = TRY(open_database(flags));
  const BenchResult before = TRY(load_run(rows, flags.which[0]));
  const BenchResult after = TRY(load_run(rows, flags.which[1]));
  for (const BenchResult* one : {&before, &after}) {
    if (one->run.state.starts_with("void")) return fail(Code::invalid_argument, fmt::format("run {} is {}", one->run.id, one->run.state));
  }
  auto out = bench::compare(before.rows, after.rows);
  if (out.empty()) return fail(Code::not_found, "the two runs have no case in common");
  return out;
}

int compare(const BenchFlags& flags) {
  const auto found = changes(flags);
  if (!found) return report(found.error());
  if (flags.json) {
    std::puts(dump_json(Json::object({{"changes", bench::changes_json(*found)}}), 2).c_str());
    return exit_done;
  }
  Table table({"target", "case", "what", ">before", ">after", ">after / before", ">between", "verdict"});
  for (const bench::Change& one : *found) {
    table.add({one.target, bench::case_text(one.of), one.metric, fmt::format("{:.4g}", one.before.median), fmt::format("{:.4g}", one.after.median),
               fmt::format("{:.3f}", one.ratio), fmt::format("{:.3f} and {:.3f}", one.low, one.high), one.verdict});
  }
  std::fputs(table.text().c_str(), stdout);
  return exit_done;
}

void declare_output(BenchFlags& own, Flags& f) {
  f.path("--db", own.database, "file with all runs (bench.db in the cache directory)");
  f.path("--html", own.html, "write a page with plots");
  f.path("--csv", own.csv, "write the table");
  f.toggle("--json", own.json, "one JSON document");
}

void declare_run(BenchFlags& own, Flags& f) {
  f.list("--target,-t", own.targets, "worker=FILE, split=FILE, or KIND=URL (hearth, llama-server, exo, mlx, openai, anthropic); NAME:KIND=… gives it a name");
  f.list("--prompt-tokens", own.prompt_tokens, "new tokens of a prompt, about (512,2048)");
  f.list("--depth", own.depths, "tokens that were sent before: a warm prefix (0)");
  f.list("--streams", own.streams, "requests at once (1)");
  f.count("--answer-tokens", own.answer_tokens, "of an answer, at most");
  f.count("--repeats", own.repeats, "of each case and target");
  f.count("--warm-ups", own.warm_ups, "rounds that are thrown away");
  f.big_count("--seed", own.seed, "of the prompts; another one sends texts that nobody has cached");
  f.path("--trace", own.trace, "replay a trace of lengths (JSON lines of Mooncake) instead");
  f.count("--agents", own.agent_turns, "replay so many turns of coding agents instead");
  f.number("--scale", own.scale, "of all lengths of --agents: 0.02 fits a small model");
  f.count("--sessions", own.sessions, "of --agents at the same time");
  f.count("--block-tokens", own.block_tokens, "tokens of a block of a trace");
  f.number("--speed", own.speed, "of a replay; 0: without waiting");
  f.count("--in-flight", own.in_flight, "requests of a replay under way at once, at most");
  f.number("--time-max", own.time_max_s, "seconds of one request, then it has failed");
  f.list("--predict", own.predict.clusters, "CLUSTER or TARGET=CLUSTER (of the catalogue, a machine of it, or a file): show the plan's prediction beside each measurement");
  f.text("--model", own.predict.model, "with --predict: GGUF file, or a model of the catalogue (the file that is measured)");
  f.list("--quant", own.predict.quants, "with --predict and a model of the catalogue");
  f.list("--catalog", own.predict.catalogs, "with --predict: read this catalogue file, too, such as what hearth node probe --to wrote");
  f.text("--name", own.name, "what the run is called");
  f.toggle("--resume", own.resume, "go on with the latest run of that name, settings, engines and files, unless it is done: what it measured is not measured again");
  f.count("--context", own.worker.context_tokens, "of workers started here");
  f.count("--sequences", own.worker.sequences, "of workers started here");
  f.count("--chunk-tokens", own.worker.chunk_tokens, "of workers started here");
  f.count("--ubatch", own.worker.ubatch_tokens, "of workers started here");
  f.count("--threads", own.worker.threads, "of workers started here (0: one per core)");
  f.text("--kv-type", own.worker.kv_type, "of workers started here");
  f.text("--device", own.worker.device, "of workers started here");
  declare_output(own, f);
}

}  // namespace

Verb bench_verb(StopToken stop) {
  const auto own = std::make_shared<BenchFlags>();      // shared by the verb's declare and run
  const auto others = std::make_shared<BenchFlags>();  // by those of its children
  const auto with_runs = [others](const char* help, bool must) {
    return [others, help, must](Flags& f) {
      f.list("runs", others->which, help);
      if (must) f.required();
      declare_output(*others, f);
    };
  };
  return {.name = "bench",
          .summary = "what first token, prefill, hand-off and decode really cost, of workers and of services",
          .example = "hearth bench -t worker=kimi.gguf -t llama-server=http://127.0.0.1:8080 --prompt-tokens 512,4096 --repeats 7 --html bench.html",
          .declare = [own](Flags& f) { declare_run(*own, f); },
          .run = [own, stop] { return run(*own, stop); },
          .children = {{.name = "compare", .summary = "two runs, case by case: better, worse, or within the noise",
                        .example = "hearth bench compare 3 last", .declare = with_runs("two runs, by number, name, or 'last'", true),
                        .run = [others] { return compare(*others); }},
                       {.name = "ls", .summary = "all runs", .example = "hearth bench ls",
                        .declare = [others](Flags& f) { declare_output(*others, f); }, .run = [others] { return list(*others); }},
                       {.name = "show", .summary = "a run again, as a table, page or document", .example = "hearth bench show last --html bench.html",
                        .declare = with_runs("the run, by number, name, or 'last'", false), .run = [others] { return show(*others); }}}};
}

}  // namespace hearth::cli
