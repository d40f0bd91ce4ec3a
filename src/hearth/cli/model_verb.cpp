// hearth model show|synth|synth-adapter; pull is in model_pull_verb.cpp

#include <fmt/format.h>

#include <cstdio>

#include "hearth/cli/model_source.h"
#include "hearth/cli/synth_model.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/model/describe.h"

namespace hearth::cli {
namespace {

struct ShowFlags {
  std::string file;
  bool json = false;
};

int show(const ShowFlags& flags, const StopToken& stop) {
  const auto files = open_model(flags.file, stop);
  if (!files) return report(files.error());
  const auto shape = model::read_shape(*files);
  if (!shape) return report(shape.error());
  if (flags.json) {
    std::puts(dump_json(model::model_json(*files, *shape), 2).c_str());
  } else {
    std::fputs(model::model_text(*files, *shape).c_str(), stdout);
  }
  return exit_done;
}

struct SynthFlags {
  SynthModelOptions options;
  bool json = false;
};

struct SynthAdapterFlags {
  SynthAdapterOptions options;
  bool json = false;
};

int show_made(const Result<Json>& made, const std::filesystem::path& output, bool json) {
  if (!made) return report(made.error());
  const auto bytes = get<std::uint64_t>(*made, "file_bytes").value_or(0);
  const auto parameters = get<std::uint64_t>(*made, "parameters").value_or(0);
  if (json) {
    std::puts(dump_json(Json::object({{"file", output.string()}, {"file_bytes", bytes}, {"parameters", parameters}}),
                        2).c_str());
  } else {
    fmt::print("{}: {}, {} parameters\n", output.string(), human_bytes(static_cast<double>(bytes)), parameters);
  }
  return exit_done;
}

int synth(const SynthFlags& flags, const StopToken& stop) {
  Progress progress;
  const auto made = make_model(flags.options, progress, stop);
  progress.clear();
  return show_made(made, flags.options.output, flags.json);
}

int synth_adapter(const SynthAdapterFlags& flags, const StopToken& stop) {
  Progress progress;
  const auto made = make_adapter(flags.options, progress, stop);
  progress.clear();
  return show_made(made, flags.options.output, flags.json);
}

Verb synth_adapter_verb(const StopToken& stop) {
  const auto own = std::make_shared<SynthAdapterFlags>();  // shared by declare and run
  return {.name = "synth-adapter",
          .summary = "make a small LoRA or control vector for a model, for tests: what it changes means nothing",
          .example = "hearth model synth-adapter --base kimi.gguf -o voice.gguf",
          .declare =
              [own](Flags& flags) {
                SynthAdapterOptions& options = own->options;
                flags.path("--base", options.base, "the model that it is for: GGUF file, or any shard of one");
                flags.required();
                flags.toggle("--control-vector", options.control_vector, "a control vector instead of a LoRA");
                flags.count("--rank", options.rank, "of a LoRA");
                flags.number("--strength", options.strength, "how much it changes");
                flags.big_count("--seed", options.seed, "same seed, same bytes");
                flags.path("-o,--output", options.output, "file to write");
                flags.required();
                flags.toggle("--json", own->json, "one JSON document");
              },
          .run = [own, stop] { return synth_adapter(*own, stop); }};
}

}  // namespace

Verb model_verb(StopToken stop) {
  const auto show_flags = std::make_shared<ShowFlags>();    // shared by declare and run
  const auto synth_flags = std::make_shared<SynthFlags>();  // likewise
  Verb show_child{
      .name = "show",
      .summary = "what a GGUF model is made of: layers, experts, KV and weight bytes per token",
      .example = "hearth model show Kimi-K2.6-UD-Q4_K_XL-00001-of-00013.gguf",
      .declare =
          [show_flags](Flags& flags) {
            flags.text("file", show_flags->file,
                       "GGUF file, any shard of one, or the URL of either");
            flags.required();
            flags.toggle("--json", show_flags->json, "one JSON document");
          },
      .run = [show_flags, stop] { return show(*show_flags, stop); }};
  Verb synth_child{
      .name = "synth",
      .summary = "make a small model of a real architecture, for tests, the demo and measurements",
      .example = "hearth model synth --arch kimi --size small --type q8_0 -o kimi.gguf",
      .declare =
          [synth_flags](Flags& flags) {
            SynthModelOptions& options = synth_flags->options;
            flags.choice("--arch", options.architecture, {"kimi", "qwen3moe", "llama", "gpt-oss", "qwen35moe"}, "architecture (the last two: --weights random)");
            flags.choice("--size", options.size, {"tiny", "small", "medium"},
                         "a few MB, tens of MB, at least 1 GB");
            flags.choice("--type", options.type, {"f16", "q8_0", "q4_k", "q2_k"}, "number format of the weights");
            flags.choice("--weights", options.weights, {"retrieval", "random"},
                         "retrieval: finds things in its context; random: only computes");
            flags.big_count("--seed", options.seed, "same seed, same bytes");
            flags.path("-o,--output", options.output, "file to write");
            flags.required();
            flags.toggle("--json", synth_flags->json, "one JSON document");
          },
      .run = [synth_flags, stop] { return synth(*synth_flags, stop); }};
  return {.name = "model",
          .summary = "look at a model file, download one, or make one",
          .children = {std::move(show_child), model_pull_verb(stop), std::move(synth_child),
                       synth_adapter_verb(stop)}};
}

}  // namespace hearth::cli
