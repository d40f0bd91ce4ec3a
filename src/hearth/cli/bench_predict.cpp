#include "hearth/cli/bench_predict.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/cli/plan_files.h"
#include "hearth/plan/engines.h"

namespace hearth::cli {
namespace {

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

plan::Workload workload_of(const bench::Case& of) {
  const std::uint64_t prompt_tokens = std::uint64_t{of.depth} + of.prompt_tokens;
  return {.name = "bench", .context_tokens = prompt_tokens + of.answer_tokens, .prompt_tokens = prompt_tokens,
          .cached_share = static_cast<double>(of.depth) / static_cast<double>(prompt_tokens), .output_tokens = of.answer_tokens,
          .streams = of.streams};
}

std::optional<plan::Family> family_of(std::string_view kind) {
  if (kind == "worker") return plan::Family::alone;
  if (kind == "split") return plan::Family::split;
  return std::nullopt;
}

// Of a plan that some engine can run: what is only good on paper cannot be measured.
bench::Predicted predict(const plan::Catalog& catalog, const plan::ClusterSpec& spec, const plan::ModelCard& card,
                         const plan::Calibrations& calibrations, std::string_view kind, const bench::Case& of) {
  plan::Options options;
  options.with_curve = false;
  options.only = family_of(kind);
  const auto found = plan::search(spec, card, workload_of(of), calibrations, options);
  bench::Predicted out;
  if (found.plans.empty()) {
    out.why_not = found.rejected.empty() ? "no plan of this kind for these machines" : found.rejected.front().reason;
    return out;
  }
  const plan::Plan* best = plan::best_runnable(catalog, spec, card, found);
  if (best == nullptr) {
    out.why_not = found.plans.front().turn_s ? "it fits, but no engine can run any of the plans"
                                             : "nothing is known of how fast these machines compute";
    return out;
  }
  if (best->ttft_s) out.ttft_ms = best->ttft_s->p50 * 1e3;
  if (best->prefill_tok_s) out.prefill_tok_s = best->prefill_tok_s->p50;
  if (best->decode_tok_s) out.decode_tok_s = best->decode_tok_s->p50;
  return out;
}

// Which cluster each target is predicted with: its own, or the one for all.
Result<std::map<std::string, std::string>> clusters_of(const PredictWish& wish, const std::vector<TargetName>& targets) {
  std::map<std::string, std::string> own;
  std::string all;
  for (const std::string& text : wish.clusters) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      all = text;
      continue;
    }
    const std::string name = text.substr(0, equals);
    if (std::ranges::find(targets, name, &TargetName::name) == targets.end()) {
      return fail(Code::invalid_argument, fmt::format("--predict {}: no target is called '{}'; expected CLUSTER or TARGET=CLUSTER", text, name));
    }
    own[name] = text.substr(equals + 1);
  }
  if (!all.empty()) {
    for (const TargetName& target : targets) own.emplace(target.name, all);
  }
  return own;
}

// The file that is measured is the model that is meant.
Result<std::string> model_of(const PredictWish& wish, const std::vector<TargetName>& targets) {
  if (!wish.model.empty()) return wish.model;
  const auto own = std::ranges::find_if(targets, [](const TargetName& target) { return !target.model.empty(); });
  if (own != targets.end()) return own->model.string();
  return fail(Code::invalid_argument, "--predict: which model do the services run? --model kimi-k2.6 --quant Q4, or --model FILE.gguf");
}

}  // namespace

Result<Predictions> predict_cases(const PredictWish& wish, const std::vector<TargetName>& targets, const std::vector<bench::Case>& cases,
                                  const StopToken& stop) {
  const plan::Catalog catalog = TRY(load_catalog_with(wish.catalogs));
  const auto clusters = TRY(clusters_of(wish, targets));
  const auto cards = TRY(load_cards(catalog, TRY(model_of(wish, targets)), wish.quants, stop));
  const plan::Calibrations calibrations = plan::calibrations_of(catalog);
  Predictions out;
  for (const TargetName& target : targets) {
    const auto cluster = clusters.find(target.name);
    if (cluster == clusters.end()) continue;
    const plan::ClusterSpec spec = TRY(load_cluster(catalog, cluster->second));
    for (const bench::Case& of : cases) {
      if (of.workload == "fixed") out[{target.name, of}] = predict(catalog, spec, cards.front(), calibrations, target.kind, of);
    }
  }
  return out;
}

const bench::Predicted* find_prediction(const Predictions& predictions, const std::string& target, const bench::Case& of) {
  for (const std::string& name : {target, std::string()}) {
    if (const auto found = predictions.find({name, of}); found != predictions.end()) return &found->second;
  }
  return nullptr;
}

Json predictions_json(const Predictions& predictions) {
  Json out = Json::array();
  for (const auto& [key, one] : predictions) {
    const auto& [target, of] = key;
    out.push(Json::object({{"target", target}, {"prompt_tokens", of.prompt_tokens}, {"depth", of.depth}, {"answer_tokens", of.answer_tokens},
                           {"streams", of.streams}, {"ttft_ms", or_null(one.ttft_ms)}, {"prefill_tok_s", or_null(one.prefill_tok_s)},
                           {"decode_tok_s", or_null(one.decode_tok_s)}, {"why_not", one.why_not}}));
  }
  return out;
}

Result<Predictions> parse_predictions(const Json& json) {
  Predictions out;
  if (!json.is_array()) return out;
  for (const Json& item : json.as_array()) {
    bench::Case of;
    of.prompt_tokens = TRY(get<std::uint32_t>(item, "prompt_tokens"));
    of.depth = TRY(get<std::uint32_t>(item, "depth"));
    of.answer_tokens = TRY(get<std::uint32_t>(item, "answer_tokens"));
    of.streams = TRY(get<std::uint32_t>(item, "streams"));
    bench::Predicted one;
    one.ttft_ms = TRY(find<double>(item, "ttft_ms"));
    one.prefill_tok_s = TRY(find<double>(item, "prefill_tok_s"));
    one.decode_tok_s = TRY(find<double>(item, "decode_tok_s"));
    // Runs of earlier versions have one prediction for all targets.
    const auto target = TRY(find<std::string>(item, "target"));
    one.why_not = TRY(find<std::string>(item, "why_not")).value_or("");
    out[{target.value_or(""), of}] = std::move(one);
  }
  return out;
}

}  // namespace hearth::cli
