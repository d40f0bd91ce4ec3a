// hearth run: one prompt, one answer, with prefill and decode in one process or two.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <random>

#include "hearth/base/utf8.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/run_flags.h"
#include "hearth/cli/verbs.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t prompt_bytes_max = 64u << 20;
constexpr const char* own_adapter = "run";  // the name of the set that the flags make

struct Run {
  RunFlags run;
  std::string prompt;
  std::filesystem::path file;
  std::filesystem::path grammar_file;
  node::AnswerOptions answer;
  std::vector<std::string> loras, control_vectors;
  double temperature = 0, top_p = 1, min_p = 0, repeat_penalty = 1;
  std::uint32_t top_k = 0, seed = 0;
  bool special = false;
  bool json = false;
};

Result<std::string> read_standard_input() {
  std::string out;
  char buffer[65536];
  std::size_t count = 0;
  while ((count = std::fread(buffer, 1, sizeof(buffer), stdin)) > 0) {
    out.append(buffer, count);
    if (out.size() > prompt_bytes_max) {
      return fail(Code::invalid_argument, fmt::format("standard input has more than {} bytes", prompt_bytes_max));
    }
  }
  return out;
}

Result<std::string> read_raw_prompt(const Run& flags) {
  if (!flags.prompt.empty() && flags.prompt != "-") return flags.prompt;
  if (!flags.file.empty() && flags.file != "-") return read_text_file(flags.file, prompt_bytes_max);
  if (::isatty(STDIN_FILENO) == 1) {
    return fail(Code::invalid_argument, "no prompt: give it as an argument, with -f FILE, or on standard input");
  }
  return read_standard_input();
}

Result<std::string> read_prompt(const Run& flags) {
  auto text = TRY(read_raw_prompt(flags));
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string::npos) {
    return fail(Code::invalid_argument,
                fmt::format("the prompt is not UTF-8 at byte {}; convert it, for example with iconv", bad));
  }
  return text;
}

Result<node::AnswerOptions> answer_options(const Run& flags) {
  node::AnswerOptions out = flags.answer;
  const Json sampling = Json::object({{"temperature", flags.temperature},
                                      {"top_k", flags.top_k},
                                      {"top_p", flags.top_p},
                                      {"min_p", flags.min_p},
                                      {"repeat_penalty", flags.repeat_penalty},
                                      // A chosen seed, so that an answer can be computed again.
                                      {"seed", flags.seed != 0 ? flags.seed : std::random_device{}()}});
  out.sampling = TRY(engine::read_sampling(sampling, "run"));
  if (!flags.grammar_file.empty()) {
    out.sampling.grammar = TRY(read_text_file(flags.grammar_file, engine::grammar_bytes_max));
  }
  if (!flags.loras.empty() || !flags.control_vectors.empty()) out.adapter = own_adapter;
  if (out.tokens_max == 0) return fail(Code::invalid_argument, "--tokens: 0 is not an answer; give at least 1");
  return out;
}

// The files of --lora and --control-vector, all applied together.
Result<std::vector<model::AdapterSet>> adapters_of(const Run& flags) {
  model::AdapterSet set{.name = own_adapter, .files = {}};
  for (const std::string& text : flags.loras) {
    set.files.push_back(TRY(model::parse_adapter_file(model::AdapterKind::lora, text)));
  }
  for (const std::string& text : flags.control_vectors) {
    set.files.push_back(TRY(model::parse_adapter_file(model::AdapterKind::control_vector, text)));
  }
  std::vector<model::AdapterSet> out;
  if (!set.files.empty()) out.push_back(std::move(set));
  return out;
}

Result<> run(const Run& flags, const StopToken& stop) {
  const std::string prompt = TRY(read_prompt(flags));
  const node::AnswerOptions options = TRY(answer_options(flags));
  node::LocalRunOptions local = TRY(flags.run.resolve());
  local.worker.adapters = TRY(adapters_of(flags));
  if (!local.prefill_device.empty()) local.prefill_worker = true;
  Progress progress;
  node::LocalRun::Callbacks callbacks;
  callbacks.progress = [&](std::string_view what, double fraction) { progress.update(what, fraction); };
  if (!flags.json) {
    callbacks.text = [&](std::string_view text) {
      progress.clear();
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    };
  }
  const auto workers = TRY(node::LocalRun::start(local, callbacks, stop));
  const auto tokens = TRY(workers->tokenize(prompt, flags.special, stop));
  if (tokens.empty()) return fail(Code::invalid_argument, "the prompt is empty");
  const node::Answer answer = TRY(workers->answer(tokens, options, stop));
  progress.clear();
  if (flags.json) {
    Json out = Json::object({{"model", workers->info().model_name}, {"text", answer.text}});
    const Json measured = answer_json(answer);
    for (const auto& [key, value] : measured.as_object()) out.set(key, value);
    Json notes = Json::array();
    for (const std::string& note : answer.notes) notes.push(note);
    out.set("notes", std::move(notes));
    std::puts(dump_json(out, 2).c_str());
  } else {
    std::fputs("\n", stdout);
    std::fflush(stdout);
    std::fputs(("\n" + answer_text(answer)).c_str(), stderr);
  }
  return workers->flush(Deadline::after(std::chrono::minutes(10)));
}

}  // namespace

Verb run_verb(StopToken stop) {
  const auto flags = std::make_shared<Run>();  // shared by declare and run
  return {.name = "run",
          .summary = "answer one prompt; prefill and decode in one process or in two",
          .example = "hearth run --model kimi.gguf --prefill-worker -f notes.txt",
          .declare =
              [flags](Flags& f) {
                f.text("prompt", flags->prompt, "the text to continue; - or nothing: standard input");
                f.path("--model,-m", flags->run.local.worker.model_path, "GGUF file, or any shard of one");
                f.required();
                f.path("-f,--file", flags->file, "read the prompt from a file");
                f.toggle("--prefill-worker", flags->run.local.prefill_worker,
                         "prefill in a process of its own; KV passes as chunks");
                f.text("--prefill-device", flags->run.local.prefill_device,
                       "device of that process (default: as --device); implies --prefill-worker");
                f.count("--tokens,-n", flags->answer.tokens_max, "most tokens of the answer");
                f.number("--temperature", flags->temperature, "0: always the most likely token");
                f.count("--top-k", flags->top_k, "0: off");
                f.number("--top-p", flags->top_p, "1: off");
                f.number("--min-p", flags->min_p, "0: off");
                f.number("--repeat-penalty", flags->repeat_penalty, "1: off");
                f.count("--seed", flags->seed, "0: a new one each time");
                f.list("--stop", flags->answer.stop_strings, "end before this text; may be repeated");
                f.toggle("--ignore-eos", flags->answer.ignore_eos, "go on past the end of the answer, for measurements");
                f.path("--grammar", flags->grammar_file, "file with a GBNF grammar that the answer obeys");
                f.list("--lora", flags->loras,
                       "FILE or FILE:SCALE: a LoRA adapter (GGUF) to apply; may be given again, then they add up");
                f.list("--control-vector", flags->control_vectors,
                       "FILE, FILE:SCALE or FILE:SCALE:FIRST-LAST (layers): a control vector (GGUF) to add; as --lora");
                f.toggle("--special", flags->special, "markup such as <|im_end|> in the prompt becomes control tokens");
                f.toggle("--json", flags->json, "one JSON document instead of the text");
                flags->run.declare(f);
              },
          .run =
              [flags, stop] {
                const auto done = run(*flags, stop);
                return done ? exit_done : report(done.error());
              }};
}

}  // namespace hearth::cli
