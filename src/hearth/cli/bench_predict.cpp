#include "hearth/cli/bench_predict.h"

#include "hearth/cli/plan_files.h"
#include "hearth/plan/plan.h"

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

}  // namespace

Result<std::map<bench::Case, bench::Predicted>> predict_cases(const std::string& cluster, const std::string& model, const std::vector<std::string>& quants,
                                                              const std::vector<bench::Case>& cases, const StopToken& stop) {
  const plan::Catalog catalog = TRY(load_catalog_with({}));
  const plan::ClusterSpec spec = TRY(load_cluster(catalog, cluster));
  const auto cards = TRY(load_cards(catalog, model, quants, stop));
  const plan::Calibrations calibrations = plan::calibrations_of(catalog);
  plan::Options options;
  options.with_curve = false;
  std::map<bench::Case, bench::Predicted> out;
  for (const bench::Case& of : cases) {
    if (of.workload != "fixed" || of.prompt_tokens == 0) continue;
    const auto found = plan::search(spec, cards.front(), workload_of(of), calibrations, options);
    if (found.plans.empty()) continue;
    const plan::Plan& best = found.plans.front();
    bench::Predicted one;
    if (best.ttft_s) one.ttft_ms = best.ttft_s->p50 * 1e3;
    if (best.prefill_tok_s) one.prefill_tok_s = best.prefill_tok_s->p50;
    if (best.decode_tok_s) one.decode_tok_s = best.decode_tok_s->p50;
    out[of] = one;
  }
  return out;
}

Json predictions_json(const std::map<bench::Case, bench::Predicted>& predictions) {
  Json out = Json::array();
  for (const auto& [of, one] : predictions) {
    out.push(Json::object({{"prompt_tokens", of.prompt_tokens}, {"depth", of.depth}, {"answer_tokens", of.answer_tokens}, {"streams", of.streams},
                           {"ttft_ms", or_null(one.ttft_ms)}, {"prefill_tok_s", or_null(one.prefill_tok_s)}, {"decode_tok_s", or_null(one.decode_tok_s)}}));
  }
  return out;
}

Result<std::map<bench::Case, bench::Predicted>> parse_predictions(const Json& json) {
  std::map<bench::Case, bench::Predicted> out;
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
    out[of] = one;
  }
  return out;
}

}  // namespace hearth::cli
