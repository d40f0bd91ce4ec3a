// hearth eval decide, hearth eval report: what a study says, and its page.

#include <fmt/format.h>

#include <cstdio>

#include "hearth/cli/environment.h"
#include "hearth/cli/eval_study.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/eval/report/report.h"
#include "hearth/eval/study/outcome.h"

namespace hearth::cli {
namespace {

struct DecideFlags {
  std::string folder = "study";
  std::filesystem::path verdicts, output;
  std::vector<std::string> divergence;
  bool json = false, keep = false, denied_texts = false;
};

std::string points(double share) { return fmt::format("{:+.1f}", 100 * share); }

std::string decision_text(const eval::StudyOutcome& o) {
  std::string out = o.decision.sentence + "\n";
  if (!o.decision.comparisons.empty()) {
    Table rows({"comparison", "verdict", ">difference", ">95 % interval", ">margin", ">power", ">generations"});
    for (const eval::Comparison& c : o.decision.comparisons) {
      rows.add({c.candidate + " against " + c.reference, std::string(eval::verdict_name(c.verdict)),
                points(c.absolute.estimate.difference) + " points",
                points(c.absolute.ci95.low) + " to " + points(c.absolute.ci95.high),
                fmt::format("{:.1f}{}", 100 * c.margin, c.relative_decides ? " %" : " points"),
                fmt::format("{:.0f} %", 100 * c.power), fmt::format("{:.0f}", c.generations)});
    }
    out += "\n" + rows.text();
  }
  Table arms({"arm", ">answers", ">mean score", ">empty", ">loops", ">cut", ">hours", ">dollars"});
  for (const eval::ArmCosts& a : o.arms) {
    arms.add({a.arm, std::to_string(a.generations), a.scored > 0 ? fmt::format("{:.1f}", 100 * a.score) : "",
              std::to_string(a.empty), std::to_string(a.loops), std::to_string(a.cut), fmt::format("{:.2f}", a.hours),
              fmt::format("{:.2f}", a.usd)});
  }
  out += "\n" + arms.text();
  if (!o.decision.controls.empty()) {
    Table controls({"control", "came out", "detail"});
    for (const eval::Control& c : o.decision.controls) controls.add({c.name, c.passed ? "right" : "WRONG", c.detail});
    out += "\n" + controls.text();
  }
  for (const std::string& one : o.deviations) out += "Otherwise than registered: " + one + "\n";
  for (const std::string& one : o.ignored) out += "Ignored: " + one + "\n";
  return out;
}

// The pick's classes for whoever routes.
Result<> hand_over(const DecideFlags& own, const OpenStudy& study, const eval::StudyRecords& records,
                   const eval::StudyOutcome& outcome) {
  const std::vector<store::ClassVerdict> verdicts =
      eval::class_verdicts(study.suite, study.file, records, outcome, now_seconds());
  if (verdicts.empty()) return {};
  std::filesystem::path file = own.verdicts;
  if (file.empty()) {
    file = TRY(config_directory());
    TRY(real_file_system()->create_directories(file));
    file /= "verdicts.db";
  }
  store::VerdictStore store = TRY(store::VerdictStore::open(file));
  return store.put(verdicts);
}

// "Q4=kl.json": what hearth eval kl --json said of an arm.
Result<> add_file(eval::DivergenceEvidence& evidence, const std::string& flag, const eval::ArmsFile& file) {
  constexpr std::uint64_t report_bytes_max = 16u << 20;
  const std::size_t at = flag.find('=');
  if (at == std::string::npos) return fail(Code::invalid_argument, "expected ARM=FILE with an arm of the study");
  const std::string text = TRY(read_text_file(flag.substr(at + 1), report_bytes_max));
  const Json json = TRY(parse_json(text));
  return eval::add_divergence(evidence, json, file, std::string_view(flag).substr(0, at));
}

Result<eval::StudyOutcome> read_outcome(const DecideFlags& own, const OpenStudy& study,
                                        const eval::StudyRecords& records) {
  eval::DivergenceEvidence evidence;
  for (const std::string& flag : own.divergence) {
    if (auto added = add_file(evidence, flag, study.file); !added) {
      return std::unexpected(with_context(std::move(added).error(), "--divergence " + flag));
    }
  }
  return eval::study_outcome(study.suite, study.file, records, evidence);
}

int decide(const DecideFlags& own) {
  const auto study = reopen_study(own.folder);
  if (!study) return report(study.error());
  const auto records = eval::read_records(*study->records);
  if (!records) return report(records.error());
  const auto outcome = read_outcome(own, *study, *records);
  if (!outcome) return report(outcome.error());
  if (own.json) {
    std::puts(dump_json(eval::outcome_json(*outcome), 2).c_str());
  } else {
    std::fputs(decision_text(*outcome).c_str(), stdout);
  }
  if (!own.keep) {
    if (const auto handed = hand_over(own, *study, *records, *outcome); !handed) return report(handed.error());
  }
  return outcome->is_final && !outcome->decision.is_void ? exit_done : exit_no;
}

int write_report(const DecideFlags& own) {
  const auto study = reopen_study(own.folder);
  if (!study) return report(study.error());
  const auto records = eval::read_records(*study->records);
  if (!records) return report(records.error());
  const auto outcome = read_outcome(own, *study, *records);
  if (!outcome) return report(outcome.error());
  const auto page = eval::report_html(study->suite, study->file, *records, *outcome, {.denied_texts = own.denied_texts});
  if (!page) return report(page.error());
  const std::filesystem::path file = own.output.empty() ? study->place.folder / "report.html" : own.output;
  const ByteSpan parts[] = {as_byte_span(*page)};
  const auto written = real_file_system()->write_atomically(file, parts, Durability::survives_process);
  if (!written) return report(written.error());
  if (own.json) {
    std::puts(dump_json(Json::object({{"report", file.string()}, {"bytes", page->size()}}), 2).c_str());
  } else {
    std::printf("%s\n", file.c_str());
  }
  return exit_done;
}

void declare_divergence(DecideFlags& own, Flags& flags) {
  flags.list("--divergence", own.divergence,
             "ARM=FILE: what hearth eval kl --json said of it, where that was registered as a way to decide; a "
             "result of other models than the study's is ignored");
}

}  // namespace

Verb eval_decide_verb() {
  const auto own = std::make_shared<DecideFlags>();
  return {.name = "decide",
          .summary = "what a study says; exit 1 while it says nothing, or when a control came out wrong",
          .example = "hearth eval decide q4-against-q8 --json",
          .declare =
              [own](Flags& flags) {
                flags.text("study", own->folder, "folder of the study");
                flags.path("--verdicts", own->verdicts,
                           "where the verdicts for each class of work are kept (default: verdicts.db in the "
                           "configuration folder)");
                declare_divergence(*own, flags);
                flags.toggle("--keep", own->keep, "hand nothing over to the router");
                flags.toggle("--json", own->json, "one JSON document");
              },
          .run = [own] { return decide(*own); },
          .children = {}};
}

Verb eval_report_verb() {
  const auto own = std::make_shared<DecideFlags>();
  return {.name = "report",
          .summary = "a study as one HTML file: verdict, intervals, classes, controls, costs, every text",
          .example = "hearth eval report q4-against-q8 --output q4.html",
          .declare =
              [own](Flags& flags) {
                flags.text("study", own->folder, "folder of the study");
                flags.path("--output", own->output, "the file (default: report.html in the study's folder)");
                declare_divergence(*own, flags);
                flags.toggle("--denied-texts", own->denied_texts,
                             "with the texts of items that must not leave the house: in the clear, in that file");
                flags.toggle("--json", own->json, "one JSON document");
              },
          .run = [own] { return write_report(*own); },
          .children = {}};
}

}  // namespace hearth::cli
