// hearth experiment: phases, gates and predictions of one file, run step by step and resumed.

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "hearth/base/file.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/verbs.h"
#include "hearth/experiment/findings.h"
#include "hearth/experiment/runner.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t file_bytes_max = 1u << 20;

struct ExperimentFlags {
  fs::path file = "experiment.toml";
  fs::path directory;
  std::vector<std::string> again;
  std::string phase, because;
  fs::path html, markdown;
  bool json = false;
};

std::string now_text() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

// `looks_only`: while it runs elsewhere, too.
Result<experiment::Runner> open_runner(const ExperimentFlags& flags, bool looks_only) {
  std::string toml = TRY(read_text_file(flags.file, file_bytes_max));
  std::error_code ignored;
  const fs::path file = fs::absolute(flags.file, ignored);
  const fs::path directory = flags.directory.empty() ? file.parent_path() / (file.stem().string() + ".results")
                                                     : fs::absolute(flags.directory, ignored);
  auto spec = TRY(experiment::read_spec(toml, flags.file.string(), directory.string()));
  experiment::RunnerOptions options{
      .directory = directory,
      .working_directory = file.parent_path(),
      .text = std::move(toml),
      .hearth = own_executable(),
      .environment = Json::object({{"hearth", HEARTH_VERSION}, {"host", host_name()}}),
      .wall_time = now_text,
      .tell = [](const std::string& line) { fmt::print(stderr, "{}\n", line); },
      .looks_only = looks_only};
  return experiment::Runner::open(std::move(spec), std::move(options));
}

Result<experiment::Findings> findings_of(experiment::Runner& runner) {
  const auto results = TRY(runner.results());
  return experiment::find_findings(runner.spec(), runner.progress(), results);
}

void show(const experiment::Findings& findings, bool json) {
  const std::string text = json ? dump_json(experiment::status_json(findings), 2) + "\n" : experiment::status_text(findings);
  std::fputs(text.c_str(), stdout);
}

Result<> write_text(const fs::path& path, const std::string& text) {
  const ByteSpan bytes = as_byte_span(text);
  return real_file_system()->write_atomically(path, std::span(&bytes, 1), Durability::survives_power_loss);
}

Result<> write_report(experiment::Runner& runner, const ExperimentFlags& flags) {
  const auto findings = TRY(findings_of(runner));
  const auto results = TRY(runner.results());
  TRY(write_text(flags.html, experiment::report_html(findings, results)));
  TRY(write_text(flags.markdown, experiment::report_markdown(findings)));
  fmt::print(stderr, "report: {} and {}\n", flags.html.string(), flags.markdown.string());
  return {};
}

// Where the flags name no files, beside the evidence.
ExperimentFlags with_report_files(ExperimentFlags flags, const experiment::Runner& runner) {
  if (flags.html.empty()) flags.html = runner.directory() / "report.html";
  if (flags.markdown.empty()) flags.markdown = runner.directory() / "report.md";
  return flags;
}

Result<bool> run(const ExperimentFlags& flags, const StopToken& stop) {
  auto runner = TRY(open_runner(flags, false));
  for (const std::string& step : flags.again) TRY(runner.measure_again(step));
  const auto ended = runner.run(stop);
  // What there is, is reported, also when a step failed.
  const auto reported = write_report(runner, with_report_files(flags, runner));
  if (!ended) return std::unexpected(ended.error());
  TRY(reported);
  show(TRY(findings_of(runner)), flags.json);
  return *ended == experiment::RunEnd::finished;
}

Result<bool> status(const ExperimentFlags& flags) {
  auto runner = TRY(open_runner(flags, true));
  show(TRY(findings_of(runner)), flags.json);
  return true;
}

Result<bool> report_only(const ExperimentFlags& flags) {
  auto runner = TRY(open_runner(flags, true));
  TRY(write_report(runner, with_report_files(flags, runner)));
  return true;
}

Result<bool> open_gate(const ExperimentFlags& flags) {
  auto runner = TRY(open_runner(flags, false));
  TRY(runner.open_gate(flags.phase, flags.because));
  return true;
}

int exit_code(const Result<bool>& done) {
  if (!done) return report(done.error());
  return *done ? exit_done : exit_no;
}

void declare_common(Flags& f, ExperimentFlags& flags) {
  f.path("file", flags.file, "the experiment (experiment.toml)");
  f.path("--dir", flags.directory, "where its results are kept (default: FILE.results beside FILE.toml)");
}

Verb run_child(const std::shared_ptr<ExperimentFlags>& flags, const StopToken& stop, std::string name, std::string summary) {
  return {.name = name,
          .summary = std::move(summary),
          .example = "hearth experiment " + name + " experiment.toml",
          .declare =
              [flags](Flags& f) {
                declare_common(f, *flags);
                f.list("--again", flags->again, "measure this step again; its result so far does not count any more");
                f.path("--html", flags->html, "the report (default: report.html beside the results)");
                f.path("--markdown", flags->markdown, "the same as Markdown (default: report.md beside the results)");
                f.toggle("--json", flags->json, "one JSON document");
              },
          .run = [flags, stop] { return exit_code(run(*flags, stop)); },
          .children = {}};
}

}  // namespace

Verb experiment_verb(StopToken stop) {
  const auto flags = std::make_shared<ExperimentFlags>();
  return {.name = "experiment",
          .summary = "run an experiment of several phases: predictions, measurements, gates, report",
          .example = "hearth experiment run experiment.toml",
          .declare = {},
          .run = {},
          .children = {run_child(flags, stop, "run", "run it; what has a result is not measured again"),
                       run_child(flags, stop, "resume", "the same: go on after a stop, a crash, a closed gate that was opened"),
                       {.name = "status",
                        .summary = "how far it is, what the gates say, what was predicted",
                        .example = "hearth experiment status experiment.toml --json",
                        .declare =
                            [flags](Flags& f) {
                              declare_common(f, *flags);
                              f.toggle("--json", flags->json, "one JSON document");
                            },
                        .run = [flags] { return exit_code(status(*flags)); }},
                       {.name = "report",
                        .summary = "write the report of what there is",
                        .example = "hearth experiment report experiment.toml --html report.html",
                        .declare =
                            [flags](Flags& f) {
                              declare_common(f, *flags);
                              f.path("--html", flags->html, "the report (default: report.html beside the results)");
                              f.path("--markdown", flags->markdown, "the same as Markdown (default: report.md beside the results)");
                            },
                        .run = [flags] { return exit_code(report_only(*flags)); }},
                       {.name = "open",
                        .summary = "open a closed gate by hand; the reason is kept and reported",
                        .example = "hearth experiment open experiment.toml --phase research --because \"the cable was lent\"",
                        .declare =
                            [flags](Flags& f) {
                              declare_common(f, *flags);
                              f.text("--phase", flags->phase, "whose gate");
                              f.required();
                              f.text("--because", flags->because, "why");
                              f.required();
                            },
                        .run = [flags] { return exit_code(open_gate(*flags)); }}}};
}

}  // namespace hearth::cli
