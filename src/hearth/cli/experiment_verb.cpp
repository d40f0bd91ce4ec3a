// hearth experiment run|status|resume|report: phases with predictions and gates, one command.

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "hearth/base/file.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/experiment/report.h"

namespace hearth::cli {
namespace {

struct ExperimentFlags {
  std::filesystem::path design = "experiment.toml";
  std::filesystem::path evidence;  // empty: beside the design, under its name
  bool retry = false, json = false;
};

std::filesystem::path evidence_of(const ExperimentFlags& flags) {
  if (!flags.evidence.empty()) return flags.evidence;
  return flags.design.parent_path() / (flags.design.stem().string() + ".evidence");
}

Result<> write_pages(const std::filesystem::path& folder) {
  const auto standing = TRY(experiment::read_standing(folder));
  for (const bool html : {false, true}) {
    const auto page = html ? experiment::make_html(standing.design.name) : experiment::make_markdown();
    experiment::write_report(standing, *page);
    const std::string text = page->text();
    const ByteSpan bytes = as_byte_span(text);
    TRY(real_file_system()->write_atomically(folder / (html ? "report.html" : "report.md"), std::span(&bytes, 1), Durability::survives_process));
  }
  return {};
}

Result<experiment::RunEnd> go(const ExperimentFlags& flags, const StopToken& stop) {
  experiment::RunOptions options;
  options.design_file = flags.design;
  options.evidence = evidence_of(flags);
  options.hearth = TRY(find_worker_executable()).parent_path() / "hearth";
  options.retry = flags.retry;
  options.now_s = [] { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count(); };
  if (!flags.json) {
    options.progress = [](const std::string& what) {
      fmt::print(stderr, "{}\n", what);
    };
  }
  auto end = experiment::run_experiment(options, stop);
  // Whatever ended it, what there is can be read.
  const auto written = write_pages(options.evidence);
  if (end && !written) return std::unexpected(written.error());
  return end;
}

int run(const ExperimentFlags& flags, const StopToken& stop) {
  const auto end = go(flags, stop);
  if (!end) return end.error().code == Code::cancelled ? (report(end.error()), static_cast<int>(exit_interrupted)) : report(end.error());
  if (flags.json) {
    const auto standing = experiment::read_standing(evidence_of(flags));
    if (!standing) return report(standing.error());
    std::puts(dump_json(experiment::standing_json(*standing), 2).c_str());
  } else {
    fmt::print("{}{}\nreport: {}\n", end->is_complete ? "complete" : "stopped: " + end->why,
               end->decision.empty() ? "" : "; decision: " + end->decision, (evidence_of(flags) / "report.html").string());
  }
  return end->is_complete ? exit_done : exit_no;
}

std::string status_text(const experiment::Standing& standing) {
  Table table({"phase", "state", ">steps done", "gate"});
  for (std::size_t p = 0; p < standing.phases.size(); ++p) {
    const experiment::PhaseStatus& phase = standing.phases[p];
    std::size_t done = 0;
    for (const auto& step : phase.steps) done += step.state == experiment::StepState::done ? 1 : 0;
    table.add({standing.design.phases[p].name, std::string(experiment::phase_state_name(phase.state)), fmt::format("{} of {}", done, phase.steps.size()),
               phase.gate_judged ? (phase.gate_open ? "open: " : "closed: ") + phase.gate_why : "-"});
  }
  std::string out = table.text();
  if (!standing.decision.empty()) out += "decision: " + standing.decision + "\n";
  return out;
}

int status(const ExperimentFlags& flags) {
  const auto standing = experiment::read_standing(evidence_of(flags));
  if (!standing) return report(standing.error());
  if (flags.json) std::puts(dump_json(experiment::standing_json(*standing), 2).c_str());
  else std::fputs(status_text(*standing).c_str(), stdout);
  return exit_done;
}

int write(const ExperimentFlags& flags) {
  const auto folder = evidence_of(flags);
  const auto written = write_pages(folder);
  if (!written) return report(written.error());
  if (flags.json) std::puts(dump_json(Json::object({{"html", (folder / "report.html").string()}, {"markdown", (folder / "report.md").string()}}), 2).c_str());
  else fmt::print("{}\n{}\n", (folder / "report.html").string(), (folder / "report.md").string());
  return exit_done;
}

}  // namespace

Verb experiment_verb(StopToken stop) {
  const auto flags = std::make_shared<ExperimentFlags>();  // shared by the children
  const auto declare = [flags](Flags& f) {
    f.path("design", flags->design, "the experiment, as a TOML file (experiment.toml)");
    f.path("--evidence", flags->evidence, "folder of its evidence (DESIGN.evidence beside the file)");
    f.toggle("--json", flags->json, "one JSON document");
  };
  const auto declare_run = [flags, declare](Flags& f) {
    declare(f);
    f.toggle("--retry", flags->retry, "try steps that failed and gates that are closed once more");
  };
  return {.name = "experiment",
          .summary = "phases with predictions made in advance and gates: run, go on after a crash, report",
          .example = "hearth experiment run experiment.local.toml",
          .children = {{.name = "run", .summary = "run it, or go on with it; exit 1 when a gate closes or a step fails",
                        .example = "hearth experiment run experiment.local.toml", .declare = declare_run, .run = [flags, stop] { return run(*flags, stop); }},
                       {.name = "resume", .summary = "the same, for after an interruption", .example = "hearth experiment resume experiment.local.toml",
                        .declare = declare_run, .run = [flags, stop] { return run(*flags, stop); }},
                       {.name = "status", .summary = "how far it is", .example = "hearth experiment status experiment.local.toml --json",
                        .declare = declare, .run = [flags] { return status(*flags); }},
                       {.name = "report", .summary = "write its report again, as HTML and Markdown", .example = "hearth experiment report experiment.local.toml",
                        .declare = declare, .run = [flags] { return write(*flags); }}}};
}

}  // namespace hearth::cli
