// hearth model show|synth; pull is in model_pull_verb.cpp

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

int synth(const SynthFlags& flags, const StopToken& stop) {
  Progress progress;
  const auto made = make_model(flags.options, progress, stop);
  progress.clear();
  if (!made) return report(made.error());
  const auto bytes = get<std::uint64_t>(*made, "file_bytes").value_or(0);
  const auto parameters = get<std::uint64_t>(*made, "parameters").value_or(0);
  if (flags.json) {
    std::puts(dump_json(Json::object({{"file", flags.options.output.string()},
                                      {"file_bytes", bytes}, {"parameters", parameters}}), 2).c_str());
  } else {
    fmt::print("{}: {}, {} parameters\n", flags.options.output.string(),
               human_bytes(static_cast<double>(bytes)), parameters);
  }
  return exit_done;
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
          .children = {std::move(show_child), model_pull_verb(stop), std::move(synth_child)}};
}

}  // namespace hearth::cli
