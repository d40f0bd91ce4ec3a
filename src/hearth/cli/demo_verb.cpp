// hearth demo: the same prompt answered by one worker, by two, and by two again after a restart
// with the chunks still on disk. Are the three texts the same, and are they right?

#include <fmt/format.h>

#include <cstdio>

#include "hearth/cli/demo_text.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/run_flags.h"
#include "hearth/cli/synth_model.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"

namespace hearth::cli {
namespace {

// Asked for at the end of the text, told near its beginning.
constexpr std::string_view fact = "7391";

struct DemoFlags {
  RunFlags run;
  SynthModelOptions model;
  std::uint32_t answer_tokens = 16;
  bool json = false;
};

struct NamedAnswer {
  std::string name;
  node::Answer answer;
};

struct DemoResult {
  node::WorkerInfo info;
  std::filesystem::path model_path;
  std::vector<NamedAnswer> runs;

  bool identical() const {
    for (const NamedAnswer& run : runs) {
      if (run.answer.tokens != runs.front().answer.tokens || run.answer.text != runs.front().answer.text) return false;
    }
    return true;
  }
  bool right() const {
    for (const NamedAnswer& run : runs) {
      if (run.answer.text.find(fact) == std::string::npos) return false;
    }
    return true;
  }
};

Result<std::filesystem::path> model_path(const DemoFlags& flags, Progress& progress, const StopToken& stop) {
  if (!flags.run.local.worker.model_path.empty()) return flags.run.local.worker.model_path;
  const auto directory = TRY(cache_directory()) / "models";
  TRY(real_file_system()->create_directories(directory));
  SynthModelOptions options = flags.model;
  options.output = directory / fmt::format("{}-{}-{}-{}-{}.gguf", options.architecture, options.size,
                                           options.type, options.weights, options.seed);
  std::error_code ignored;
  if (!std::filesystem::exists(options.output, ignored)) TRY(make_model(options, progress, stop));
  return options.output;
}

class Demo {
 public:
  Demo(const DemoFlags& flags, Progress& progress, const StopToken& stop)
      : flags_(flags), progress_(progress), stop_(stop) {}

  Result<DemoResult> run() {
    const TemporaryDirectory store = TRY(TemporaryDirectory::create("hearth-demo"));
    options_ = TRY(flags_.run.resolve());
    options_.worker.model_path = TRY(model_path(flags_, progress_, stop_));
    result_.model_path = options_.worker.model_path;
    say(fmt::format("model: {}", result_.model_path.string()));

    options_.store_directory.clear();
    TRY(answer("single"));
    options_.store_directory = store.path();
    options_.prefill_worker = true;
    TRY(answer("split"));
    TRY(answer("warm"));  // new processes; only the files are the same
    return std::move(result_);
  }

 private:
  void say(std::string_view line) {
    progress_.clear();
    if (!flags_.json) fmt::print(stderr, "{}\n", line);
  }

  Result<> answer(const std::string& name) {
    node::LocalRun::Callbacks callbacks;
    callbacks.progress = [&](std::string_view what, double fraction) {
      progress_.update(fmt::format("{}: {}", name, what), fraction);
    };
    const auto workers = TRY(node::LocalRun::start(options_, callbacks, stop_));
    const auto tokens = TRY(workers->tokenize(demo_text(), /*special=*/false, stop_));
    node::AnswerOptions options;
    options.tokens_max = flags_.answer_tokens;
    node::Answer answer = TRY(workers->answer(tokens, options, stop_));
    TRY(workers->flush(Deadline::after(std::chrono::minutes(10))));
    for (const std::string& note : answer.notes) say(fmt::format("{}: note: {}", name, note));
    say(fmt::format("{}: first token after {:.0f} ms", name, answer.ttft_ms));
    if (result_.runs.empty()) result_.info = workers->info();
    result_.runs.push_back({name, std::move(answer)});
    return {};
  }

  const DemoFlags& flags_;
  Progress& progress_;
  const StopToken& stop_;
  node::LocalRunOptions options_;
  DemoResult result_;
};

Json demo_json(const DemoResult& result) {
  Json runs = Json::array();
  for (const NamedAnswer& run : result.runs) {
    Json one = Json::object({{"name", run.name}});
    const Json measured = answer_json(run.answer);
    for (const auto& [key, value] : measured.as_object()) one.set(key, value);
    one.set("text", run.answer.text);
    runs.push(std::move(one));
  }
  const node::WorkerInfo& info = result.info;
  return Json::object(
      {{"identical", result.identical()},
       {"right", result.right()},
       {"model", Json::object({{"file", result.model_path.string()}, {"name", info.model_name},
                               {"architecture", info.architecture},
                               {"parameters_total", info.parameters_total},
                               {"parameters_active", info.parameters_active},
                               {"engine", Json::object({{"version", info.engine_version}, {"build", info.engine_build},
                                                        {"backend", info.backend}})}})},
       {"runs", std::move(runs)}});
}

std::string demo_report(const DemoResult& result) {
  Table table({"run", ">first token", ">prefill", ">decode", ">prompt", ">computed", ">from disk", ">chunks",
               ">moved", ">hidden"});
  for (const auto& [name, answer] : result.runs) {
    const auto rate = [](double tok_s) { return tok_s > 0 ? fmt::format("{:.0f} tok/s", tok_s) : std::string("-"); };
    table.add({name, fmt::format("{:.0f} ms", answer.ttft_ms), rate(answer.prefill_tok_s), rate(answer.decode_tok_s),
               std::to_string(answer.prompt_tokens), std::to_string(answer.computed_tokens),
               std::to_string(answer.disk_tokens), std::to_string(answer.chunks),
               answer.transfer_bytes > 0 ? human_bytes(static_cast<double>(answer.transfer_bytes)) : "-",
               answer.hidden_fraction > 0 ? fmt::format("{:.0f} %", 100 * answer.hidden_fraction) : "-"});
  }
  std::string out = "\n" + table.text() + "\n";
  out += "single: one worker. split: one process prefills, another decodes, KV passes as chunks.\n"
         "warm: both started again, the prompt's chunks found on disk.\n\n";
  for (const auto& [name, answer] : result.runs) out += fmt::format("{:<7} \"{}\"\n", name, answer.text);
  out += fmt::format("\nThe three texts are {}, token by token.\n", result.identical() ? "identical" : "DIFFERENT");
  out +=
      result.right()
          ? fmt::format("They are right: the text tells near its beginning that the number is {}.\n", fact)
          : fmt::format("They are WRONG: the text tells near its beginning that the number is {}.\n", fact);
  return out;
}

}  // namespace

Verb demo_verb(StopToken stop) {
  const auto flags = std::make_shared<DemoFlags>();  // shared by declare and run
  flags->model.size = "small";
  return {.name = "demo",
          .summary = "prefill in one process, decode in another: is the text what one alone writes?",
          .example = "hearth demo --model my-model.gguf",
          .declare =
              [flags](Flags& f) {
                f.path("--model,-m", flags->run.local.worker.model_path,
                       "any GGUF (default: a small Kimi-architecture model is made)");
                f.choice("--arch", flags->model.architecture, {"kimi", "qwen3moe", "llama"},
                         "architecture of the model that is made");
                f.choice("--size", flags->model.size, {"tiny", "small", "medium"}, "its size");
                f.choice("--type", flags->model.type, {"f16", "q8_0", "q4_k", "q2_k"}, "its number format");
                f.choice("--weights", flags->model.weights, {"retrieval", "random"}, "its weights");
                f.count("--tokens,-n", flags->answer_tokens, "tokens of each answer");
                f.toggle("--json", flags->json, "one JSON document");
                flags->run.declare(f);
              },
          .run = [flags, stop]() -> int {
            Progress progress;
            const auto result = Demo(*flags, progress, stop).run();
            progress.clear();
            if (!result) return report(result.error());
            if (flags->json) {
              std::puts(dump_json(demo_json(*result), 2).c_str());
            } else {
              std::fputs(demo_report(*result).c_str(), stdout);
            }
            return result->identical() && result->right() ? exit_done : exit_no;
          }};
}

}  // namespace hearth::cli
