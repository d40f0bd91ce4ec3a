// hearth plan: the answer before the cable is bought.

#include <fmt/format.h>

#include <cstdio>

#include "hearth/base/file.h"
#include "hearth/cli/plan_files.h"
#include "hearth/cli/verbs.h"
#include "hearth/plan/accuracy.h"
#include "hearth/plan/cost/formulas.h"
#include "hearth/plan/output/output.h"
#include "hearth/plan/prediction.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t text_bytes_max = 16u << 20;

struct PlanFlags {
  std::string cluster = "reference";
  std::string model;
  std::vector<std::string> quants;
  std::string workload = "agentic";
  std::string family = "any";
  std::string kv_type = "any";
  std::vector<std::string> catalogs;
  std::vector<std::string> measurements;
  std::vector<std::string> predictions;
  std::filesystem::path html;
  std::filesystem::path record;
  bool example = false;
  bool accuracy = false;
  bool json = false;
};

Result<> write_text(const std::filesystem::path& path, const std::string& text) {
  const ByteSpan bytes = as_byte_span(text);
  return real_file_system()->write_atomically(path, std::span(&bytes, 1),
                                              Durability::survives_process);
}

// The rows of the named files, read on top of the catalogue so that their models and machines are
// known.
Result<std::vector<plan::Measurement>> rows_of(const PlanFlags& flags) {
  std::vector<plan::Measurement> rows;
  for (const std::string& path : flags.measurements) {
    const std::string text = TRY(read_text_file(path, text_bytes_max));
    std::vector<plan::CatalogFile> files = plan::shipped_files();
    files.pop_back();  // the shipped measurements come last
    files.push_back({path, text});
    plan::Catalog catalog = TRY(plan::load_catalog(files));
    rows.insert(rows.end(), catalog.measurements.begin(), catalog.measurements.end());
  }
  return rows;
}

int show_accuracy(const PlanFlags& flags, const plan::Catalog& catalog) {
  plan::AccuracyReport found;
  if (flags.measurements.empty()) {
    found = plan::accuracy_left_out(catalog);
  } else {
    const auto rows = rows_of(flags);
    if (!rows) return report(rows.error());
    found = plan::accuracy_of(catalog, *rows);
  }
  const std::string text =
      flags.json ? dump_json(plan::accuracy_json(found), 2) + "\n" : plan::accuracy_text(found);
  std::fputs(text.c_str(), stdout);
  return exit_done;
}

std::vector<std::string> family_names() {
  std::vector<std::string> out = {"any"};
  for (const plan::Family family : plan::all_families()) out.emplace_back(plan::family_name(family));
  return out;
}

std::optional<plan::Family> family_called(std::string_view name) {
  for (const plan::Family family : plan::all_families()) {
    if (plan::family_name(family) == name) return family;
  }
  return std::nullopt;
}

// Smaller variants of the same model, which could prefill in place of the real one.
std::vector<plan::ModelCard> smaller_copies(const plan::Catalog& catalog,
                                            const plan::ModelCard& card) {
  std::vector<plan::ModelCard> out;
  const plan::Model* model = catalog.model(card.model);
  if (!model) return out;
  for (const plan::Variant& variant : model->variants) {
    if (variant.format != "gguf" || !variant.requires_engine.empty()) continue;
    const auto copy = plan::card_of(catalog, card.model, variant.name);
    if (copy && plan::total_bytes(*copy) < plan::total_bytes(card)) out.push_back(*copy);
  }
  return out;
}

// A prediction without a model is about the example.
bool is_example(const PlanFlags& flags) {
  return flags.example || (flags.model.empty() && !flags.predictions.empty());
}

Result<std::vector<plan::Answer>> answers_for(const PlanFlags& flags,
                                              const plan::Catalog& catalog, const StopToken& stop) {
  const plan::ClusterSpec cluster = TRY(load_cluster(catalog, flags.cluster));
  const auto quants = is_example(flags) && flags.quants.empty()
                          ? std::vector<std::string>{"Q2", "Q4", "Q8"}
                          : flags.quants;
  const std::string model = is_example(flags) && flags.model.empty() ? "kimi-k2.6" : flags.model;
  const auto cards = TRY(load_cards(catalog, model, quants, stop));
  const plan::Workload first = TRY(plan::find_workload(flags.workload));
  std::vector<plan::Workload> workloads = {first};
  if (is_example(flags)) {
    for (const plan::Workload& other : plan::standard_workloads()) {
      if (other.name != workloads.front().name) workloads.push_back(other);
    }
  }
  const plan::Calibrations calibrations = plan::calibrations_of(catalog);
  std::vector<plan::Answer> out;
  for (const plan::Workload& workload : workloads) {
    for (const plan::ModelCard& card : cards) {
      plan::Question question{.catalog = &catalog,
                              .calibrations = &calibrations,
                              .cluster = cluster,
                              .card = card,
                              .workload = workload,
                              .options = {}};
      question.options.low_bit_copies = smaller_copies(catalog, card);
      question.options.only = family_called(flags.family);
      if (flags.kv_type != "any") question.options.kv_type = flags.kv_type == "f16" ? plan::KvType::f16 : plan::KvType::q8_0;
      plan::Answer one = plan::answer(std::move(question));
      out.push_back(std::move(one));
    }
  }
  return out;
}

Result<std::vector<plan::Prediction>> predictions_for(const PlanFlags& flags,
                                                      const plan::Catalog& catalog,
                                                      const std::vector<plan::Answer>& answers) {
  std::vector<plan::Prediction> out;
  const plan::Calibrations calibrations = plan::calibrations_of(catalog);
  for (const std::string& text : flags.predictions) {
    plan::Question question = answers.front().question;
    question.calibrations = &calibrations;
    plan::Prediction prediction = TRY(plan::parse_prediction(text, question.cluster));
    plan::expect(prediction, question);
    out.push_back(std::move(prediction));
  }
  return out;
}

Json predictions_json(const std::vector<plan::Prediction>& predictions) {
  Json out = Json::array();
  for (const plan::Prediction& prediction : predictions)
    out.push(plan::prediction_json(prediction));
  return out;
}

// With what they are about: the first of several answers.
std::string predictions_text(const std::vector<plan::Prediction>& predictions, const plan::Question& about) {
  std::string out;
  for (const plan::Prediction& p : predictions) {
    out += fmt::format("Prediction: {}\n  tests {} {}", p.text, plan::metric_name(p.metric),
                       plan::direction_name(p.direction));
    if (p.size) out += fmt::format(" by at least {:.0f} %", 100 * *p.size);
    out += fmt::format(", {} {}, {}", about.card.name, about.card.variant, about.workload.name);
    if (p.before && p.after)
      out += fmt::format("; the planner expects {:.1f}, then {:.1f}", *p.before, *p.after);
    out += fmt::format(": it {}\n", p.planner_says);
  }
  return out;
}

int run_plan(const PlanFlags& flags, const StopToken& stop) {
  const auto catalog = load_catalog_with(flags.catalogs);
  if (!catalog) return report(catalog.error());
  if (flags.accuracy) return show_accuracy(flags, *catalog);
  if (flags.model.empty() && !is_example(flags)) {
    return report(Error{
        Code::invalid_argument,
        "name a model: hearth plan --model kimi-k2.6 --quant Q4, or see hearth plan --example"});
  }
  const auto answers = answers_for(flags, *catalog, stop);
  if (!answers) return report(answers.error());
  const auto predictions = predictions_for(flags, *catalog, *answers);
  if (!predictions) return report(predictions.error());
  if (!flags.html.empty()) {
    if (const auto done = write_text(flags.html, plan::answers_html(*answers)); !done)
      return report(done.error());
  }
  if (!flags.record.empty()) {
    const std::string text = dump_json(predictions_json(*predictions), 2) + "\n";
    if (const auto done = write_text(flags.record, text); !done) return report(done.error());
  }
  if (flags.json) {
    Json document = plan::answers_json(*answers);
    if (!predictions->empty()) document.set("predictions", predictions_json(*predictions));
    std::puts(dump_json(document, 2).c_str());
  } else {
    const std::string said = predictions_text(*predictions, answers->front().question);
    std::fputs((plan::answers_text(*answers) + said).c_str(), stdout);
  }
  if (is_example(flags)) return exit_done;  // it shows; it does not decide
  for (const plan::Answer& answer : *answers) {
    if (answer.verdict.go) return exit_done;
  }
  return exit_no;
}

}  // namespace

Verb plan_verb(StopToken stop) {
  const auto own = std::make_shared<PlanFlags>();  // shared by declare and run
  return {
      .name = "plan",
      .summary = "what fits where, how fast, and is it worth it; no weights are read, nothing is run",
      .example = "hearth plan --cluster desk.toml --model kimi-k2.6 --quant Q4 --workload agentic",
      .declare =
          [own](Flags& flags) {
            flags.text("--cluster", own->cluster,
                       "cluster file, or one of `hearth catalog ls clusters`");
            flags.text("--model", own->model, "name in the catalogue, a GGUF file (any shard), or the URL of one");
            flags.list("--quant", own->quants, "quantisation, or a part of its name: Q4");
            flags.text("--workload", own->workload,
                       "reflective, writing, agentic, batch, or prompt=20000,new=500,output=800,…");
            flags.choice("--family", own->family, family_names(),
                         "only plans of this family, be they best or not");
            flags.choice("--kv-type", own->kv_type, {"any", "f16", "q8_0"}, "only plans with KV of this type");
            flags.toggle("--example", own->example,
                         "the reference cluster with Kimi K2.6 at Q2, Q4 and Q8");
            flags.toggle("--accuracy", own->accuracy,
                         "how wrong the planner's predictions have been");
            flags.list("--measurements", own->measurements,
                       "with --accuracy: predict the rows of this file, never learn from them");
            flags.list("--predict", own->predictions,
                       "a statement to test: \"adding the Sparks makes it slower\"; without --model: of the example");
            flags.path("--record", own->record,
                       "write the predictions to this file as JSON; else they are only printed");
            flags.list("--catalog", own->catalogs,
                       "more catalogue files; they replace entries of the same key");
            flags.path("--html", own->html, "write one self-contained page with plots");
            flags.toggle("--json", own->json, "one JSON document");
          },
      .run = [own, stop] { return run_plan(*own, stop); },
      .children = {}};
}

}  // namespace hearth::cli
