#include "hearth/plan/cost/evidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace hearth::plan {
namespace {

constexpr std::array excluded_flags = {"cold",      "short-prompt",     "memory-starved",
                                       "slow-path", "streamed-weights", "unstable"};
constexpr double ubatch_default_llama = 512;
constexpr double ubatch_default_others = 2048;

std::optional<std::string> rule_against(const Catalog& catalog, const Measurement& row,
                                        Phase phase) {
  for (const std::string_view flag : excluded_flags) {
    if (row.has_flag(flag)) return fmt::format("flagged {}", flag);
  }
  if (row.origin.confidence == Confidence::secondary)
    return "second-hand (check before relying on it)";
  if (row.nodes != 1 || row.hardware.find('+') != std::string::npos) {
    return "several machines: kernels and links cannot be told apart";
  }
  const Machine* machine = catalog.machine(row.hardware);
  if (!machine || !machine->memory_bandwidth_gb_s) return "bandwidth of the machine not known";
  if (!layer_overhead_s(machine->backend)) return "no prior for the machine's backend";
  const Model* model = catalog.model(row.model);
  if (!model) return "dimensions of the model not in the catalogue";
  if (phase == Phase::prefill) {
    if (!row.prefill_tok_s) return "no prefill rate";
    if (!row.prompt_tokens) return "prompt length not stated";
    if (model->active_params_prefill == 0) return "active parameters of the model not known";
    return std::nullopt;
  }
  if (!row.decode_tok_s) return "no decode rate";
  if (row.has_flag("speculative")) return "flagged speculative";
  return std::nullopt;
}

// The row's variant if the catalogue has it, else the model at the quantisation's bits.
std::optional<ModelCard> card_for(const Catalog& catalog, const Measurement& row,
                                  const Model& model) {
  if (row.weights_bytes && model.experts == 0) {
    const double bits = 8.0 * static_cast<double>(*row.weights_bytes) / model.total_params;
    return card_of_bits(model, row.quant, {bits, bits});
  }
  if (const Variant* variant = find_variant(model, row.quant);
      variant && variant->bytes_read_per_token) {
    if (Result<ModelCard> card = card_of(catalog, model.key, variant->name)) return *card;
  }
  const Quantisation* quantisation = catalog.quantisation(row.quant);
  if (!quantisation) return std::nullopt;
  return card_of_bits(model, row.quant,
                      {quantisation->bits_per_weight, quantisation->other_bits_per_weight});
}

// Decode rates stand for the context after the prompt, except in llama-bench, whose generation test
// starts again at `depth`.
double decode_context(const Measurement& row) {
  const bool after_prompt = row.method == "ds4-bench" ||
                            (row.prompt_tokens && !row.prefill_is_chunk && row.prefill_tok_s);
  const double prompt = after_prompt ? static_cast<double>(row.prompt_tokens.value_or(0)) : 0.0;
  return static_cast<double>(row.depth) + prompt + static_cast<double>(row.gen_tokens) / 2;
}

void weigh_prefill(UsableRow& out, const ModelCard& card, double bandwidth, double overhead) {
  const Measurement& row = *out.row;
  PrefillWork work;
  work.form = prefill_form(out.key.kernels);
  work.depth = static_cast<double>(row.depth);
  work.new_tokens = static_cast<double>(*row.prompt_tokens);
  work.ubatch =
      row.ubatch ? *row.ubatch
                 : (out.key.kernels == "llama.cpp" ? ubatch_default_llama : ubatch_default_others);
  out.prefill = prefill_prior(card, work, bandwidth, overhead);
  out.prior_s = out.prefill.total_s();
  out.measured_tok_s = *row.prefill_tok_s;
  out.measured_s = work.new_tokens / *row.prefill_tok_s;
  out.key.attention_share = out.prefill.attention_share();
}

void weigh_decode(UsableRow& out, const ModelCard& card, double bandwidth, double overhead) {
  const Measurement& row = *out.row;
  const double streams = row.concurrency;
  out.decode = decode_prior(card, AttentionForm::absorbed, KvType::f16, decode_context(row),
                            streams, bandwidth, overhead);
  out.prior_s = out.decode.total_s();
  out.measured_tok_s = *row.decode_tok_s;
  out.measured_s = streams / *row.decode_tok_s;
}

}  // namespace

std::string_view phase_name(Phase phase) { return phase == Phase::prefill ? "prefill" : "decode"; }

std::variant<std::string, UsableRow> examine(const Catalog& catalog, const Measurement& row,
                                             Phase phase) {
  if (std::optional<std::string> rule = rule_against(catalog, row, phase)) return *rule;
  const Machine& machine = *catalog.machine(row.hardware);
  const Model& model = *catalog.model(row.model);
  const std::optional<ModelCard> card = card_for(catalog, row, model);
  if (!card) return fmt::format("bits per weight of '{}' not known", row.quant);
  UsableRow out;
  out.row = &row;
  const EngineEntry* engine = catalog.engine(row.engine);
  out.key = {.chip = machine.chip,
             .backend = machine.backend,
             .kernels = engine ? engine->kernels : row.engine,
             .generation = row.engine_generation,
             .architecture = model.architecture,
             .mixture = model.experts > 0};
  const double bandwidth = *machine.memory_bandwidth_gb_s;
  const double overhead = *layer_overhead_s(machine.backend);
  if (phase == Phase::prefill) {
    weigh_prefill(out, *card, bandwidth, overhead);
  } else {
    weigh_decode(out, *card, bandwidth, overhead);
  }
  return out;
}

std::vector<UsableRow> usable_rows(const Catalog& catalog, Phase phase) {
  std::vector<UsableRow> out;
  for (const Measurement& row : catalog.measurements) {
    auto examined = examine(catalog, row, phase);
    if (auto* usable = std::get_if<UsableRow>(&examined)) out.push_back(std::move(*usable));
  }
  return out;
}

Observation observation_of(const UsableRow& usable) {
  return {.key = usable.key,
          .log_ratio = std::log(usable.measured_s / usable.prior_s),
          .id = usable.row->id,
          .own = usable.row->origin.confidence == Confidence::own};
}

Calibration calibrate(const std::vector<UsableRow>& rows) {
  std::vector<Observation> observations;
  observations.reserve(rows.size());
  for (const UsableRow& row : rows) observations.push_back(observation_of(row));
  return Calibration::build(std::move(observations));
}

}  // namespace hearth::plan
