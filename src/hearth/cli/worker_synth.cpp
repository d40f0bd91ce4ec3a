#include "hearth/cli/worker_synth.h"

#include "hearth/base/log.h"
#include "hearth/cli/worker_output.h"
#include "hearth/engine/synth/synth.h"
#include "hearth/engine/synth/synth_adapter.h"

namespace hearth::cli {
namespace {

struct ModelWords {
  std::string architecture = "kimi", size = "tiny", type = "q8_0", weights = "retrieval";
  engine::SynthOptions options;
};

int tell_made(const Result<engine::SynthReport>& made) {
  if (!made) return fail_start(made.error());
  tell(Json::object({{"event", "made"}, {"file_bytes", made->file_bytes},
                     {"parameters", made->parameters}}));
  return exit_done;
}

Result<engine::SynthReport> make_model(const ModelWords& words) {
  engine::SynthOptions options = words.options;
  options.architecture = TRY(engine::parse_architecture(words.architecture));
  options.size = TRY(engine::parse_size(words.size));
  options.type = TRY(engine::parse_weight_type(words.type));
  options.weights = TRY(engine::parse_weights(words.weights));
  return engine::make_synthetic_model(options, [](double fraction) {
    tell(Json::object({{"event", "making"}, {"progress", fraction}}));
  });
}

}  // namespace

Verb worker_synth_verb() {
  const auto words = std::make_shared<ModelWords>();  // shared by declare and run
  return {.name = "synth",
          .summary = "make a synthetic model (hearth model synth calls this)",
          .declare =
              [words](Flags& flags) {
                flags.text("--arch", words->architecture, "kimi, qwen3moe, llama, gpt-oss or qwen35moe");
                flags.text("--size", words->size, "tiny, small or medium");
                flags.text("--type", words->type, "f16, q8_0, q4_k or q2_k");
                flags.text("--weights", words->weights, "retrieval or random");
                flags.big_count("--seed", words->options.seed, "same seed, same bytes");
                flags.path("--output", words->options.output, "file to write");
                flags.required();
              },
          .run =
              [words] {
                start_log("synth", LogLevel::warning);
                return tell_made(make_model(*words));
              }};
}

Verb worker_synth_adapter_verb() {
  const auto options = std::make_shared<engine::AdapterSynthOptions>();  // shared by declare and run
  const auto is_control_vector = std::make_shared<bool>(false);
  return {.name = "synth-adapter",
          .summary = "make a synthetic adapter for a model (hearth model synth-adapter calls this)",
          .declare =
              [options, is_control_vector](Flags& flags) {
                flags.path("--base", options->base, "the model that it is for: GGUF file, or any shard of one");
                flags.required();
                flags.toggle("--control-vector", *is_control_vector, "a control vector instead of a LoRA");
                flags.count("--rank", options->rank, "of a LoRA");
                flags.number("--strength", options->strength, "how much it changes");
                flags.big_count("--seed", options->seed, "same seed, same bytes");
                flags.path("--output", options->output, "file to write");
                flags.required();
              },
          .run =
              [options, is_control_vector] {
                start_log("synth", LogLevel::warning);
                if (*is_control_vector) options->kind = model::AdapterKind::control_vector;
                return tell_made(engine::make_synthetic_adapter(*options));
              }};
}

}  // namespace hearth::cli
