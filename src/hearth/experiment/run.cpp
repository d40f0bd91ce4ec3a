#include "hearth/experiment/run.h"

#include <fmt/format.h>

#include "hearth/base/child_process.h"
#include "hearth/base/sha256.h"

namespace hearth::experiment {
namespace {

namespace fs = std::filesystem;

std::string filled(std::string text, const fs::path& folder, const RunOptions& options) {
  const std::pair<const char*, std::string> words[] = {
      {"{evidence}", options.evidence.string()}, {"{folder}", folder.string()}, {"{hearth}", options.hearth.string()},
      {"{here}", options.design_file.has_parent_path() ? options.design_file.parent_path().string() : "."}};
  for (const auto& [word, value] : words) {
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + value.size())) {
      text.replace(at, std::string_view(word).size(), value);
    }
  }
  return text;
}

struct StepOutput {
  int exit = 0;
  std::string text;
};

Result<StepOutput> run_child(const StepCommand& command, const fs::path& log, double time_max_s, const StopToken& stop) {
  auto child = TRY(ChildProcess::start(command.program, command.arguments, {}, log));
  const Deadline deadline = Deadline::after(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(time_max_s)));
  StepOutput out;
  for (;;) {
    const ByteSpan piece = TRY(child.read_output(deadline, stop));
    if (piece.empty()) break;
    if (out.text.size() + piece.size() > result_bytes_max) return fail(Code::resource_exhausted, "a step printed more than is kept");
    out.text += as_text(piece);
  }
  out.exit = child.wait();
  return out;
}

class Running {
 public:
  Running(const RunOptions& options, const Design& design, Course& course, Evidence& evidence, const StopToken& stop)
      : options_(options), design_(design), course_(course), evidence_(evidence), stop_(stop) {}

  Result<RunEnd> go() {
    for (;;) {
      if (stop_.stop_requested()) return fail(Code::cancelled, "interrupted; hearth experiment resume goes on");
      const Action action = course_.next();
      switch (action.kind) {
        case Action::Kind::nothing:
          return RunEnd{action.why == "done", action.why, course_.decision()};
        case Action::Kind::start_phase: TRY(start_phase(design_.phases[action.phase])); break;
        case Action::Kind::run_step: TRY(run_step(design_.phases[action.phase], design_.phases[action.phase].steps[action.step])); break;
        case Action::Kind::judge_gate: TRY(judge(design_.phases[action.phase])); break;
        case Action::Kind::decide: TRY(settle()); break;
      }
    }
  }

 private:
  Result<> record(Event event) {
    event.at_s = options_.now_s();
    TRY(evidence_.append(event));
    return course_.apply(event);
  }

  Result<> start_phase(const PhaseDesign& phase) {
    say(fmt::format("phase {}", phase.title));
    TRY(evidence_.write(evidence_.folder_of(phase) / "predictions.json", predictions_text(phase)));
    return record({.kind = Event::Kind::phase_started, .phase = phase.name, .digest = predictions_digest(phase)});
  }

  Result<> run_step(const PhaseDesign& phase, const StepDesign& step) {
    say(fmt::format("  step {} ({})", step.name, step.kind));
    const fs::path folder = evidence_.folder_of(phase, step);
    const StepCommand command = command_of(step, folder, options_);
    Json argv = Json::array({command.program.string()});
    for (const std::string& argument : command.arguments) argv.push(argument);
    TRY(evidence_.write(folder / "command.json", dump_json(argv, 2)));
    TRY(record({.kind = Event::Kind::step_started, .phase = phase.name, .step = step.name, .digest = step_digest(step)}));
    const Instant begin = SteadyClock().now();
    const StepOutput output = TRY(run_child(command, folder / "log.txt", step.time_max_s, stop_));
    // What a killed child printed is no result.
    if (stop_.stop_requested()) return fail(Code::cancelled, "interrupted; hearth experiment resume goes on");
    TRY(evidence_.write(folder / "result.json", output.text));
    return record({.kind = Event::Kind::step_ended, .phase = phase.name, .step = step.name, .digest = sha256(as_byte_span(output.text)).hex(),
                   .exit = output.exit, .seconds = seconds(SteadyClock().now() - begin)});
  }

  Result<> judge(const PhaseDesign& phase) {
    const Results results = TRY(read_results(evidence_.folder(), design_, course_));
    const GateJudgement found = judge_gate(phase, results);
    say(fmt::format("  gate {}: {}", found.open ? "open" : "closed", found.why));
    return record({.kind = Event::Kind::gate_judged, .phase = phase.name, .text = found.why, .open = found.open});
  }

  Result<> settle() {
    const Results results = TRY(read_results(evidence_.folder(), design_, course_));
    return record({.kind = Event::Kind::decided, .text = decide(design_, results)});
  }

  void say(const std::string& what) const {
    if (options_.progress) options_.progress(what);
  }

  const RunOptions& options_;
  const Design& design_;
  Course& course_;
  Evidence& evidence_;
  const StopToken& stop_;
};

Result<> replay_journal(const fs::path& folder, Course& course) {
  for (const Event& event : TRY(read_journal(folder))) TRY(course.apply(event));
  return {};
}

Json step_json(const StepDesign& step, const StepStatus& status) {
  return Json::object({{"name", step.name}, {"kind", step.kind}, {"state", step_state_name(status.state)}, {"exit", status.exit},
                       {"seconds", status.seconds}, {"result_sha256", status.digest}});
}

}  // namespace

StepCommand command_of(const StepDesign& step, const fs::path& folder, const RunOptions& options) {
  std::vector<std::string> arguments;
  for (const std::string& argument : step.arguments) arguments.push_back(filled(argument, folder, options));
  if (step.kind == "command") {
    StepCommand out{.program = arguments.front(), .arguments = {arguments.begin() + 1, arguments.end()}};
    return out;
  }
  StepCommand out{.program = options.hearth, .arguments = {step.kind}};
  out.arguments.insert(out.arguments.end(), arguments.begin(), arguments.end());
  out.arguments.emplace_back("--json");
  if (step.kind == "bench") {
    // Goes on with the run of that name: what was measured before a crash is not measured again.
    for (const std::string& more : {std::string("--db"), (options.evidence / "bench.db").string(), std::string("--name"), step.name,
                                    std::string("--resume"), std::string("--html"), (folder / "bench.html").string(), std::string("--csv"),
                                    (folder / "bench.csv").string()}) {
      out.arguments.push_back(more);
    }
  }
  return out;
}

Result<RunEnd> run_experiment(const RunOptions& options, const StopToken& stop) {
  const std::string text = TRY(read_text_file(options.design_file, design_bytes_max));
  const Design design = TRY(parse_design(text, options.design_file.string()));
  Evidence evidence = TRY(Evidence::open(options.evidence, text));
  Course course(design);
  TRY(replay_journal(options.evidence, course));
  if (options.retry) course.forget_failures();
  return Running(options, design, course, evidence, stop).go();
}

Result<Standing> read_standing(const fs::path& evidence) {
  const fs::path file = evidence / "experiment.toml";
  Standing out{.design = TRY(parse_design(TRY(read_text_file(file, design_bytes_max)), file.string())), .results = {}, .phases = {}, .decision = {}, .next = {}};
  Course course(out.design);
  TRY(replay_journal(evidence, course));
  out.results = TRY(read_results(evidence, out.design, course));
  out.phases = course.phases();
  out.decision = course.decision();
  out.next = course.next();
  return out;
}

Json standing_json(const Standing& standing) {
  Json phases = Json::array();
  for (std::size_t p = 0; p < standing.phases.size(); ++p) {
    const PhaseDesign& design = standing.design.phases[p];
    const PhaseStatus& status = standing.phases[p];
    Json steps = Json::array(), predictions = Json::array();
    for (std::size_t s = 0; s < design.steps.size(); ++s) steps.push(step_json(design.steps[s], status.steps[s]));
    for (const PredictionDesign& one : design.predictions) {
      const Judgement found = judge(one.condition, standing.results);
      predictions.push(Json::object({{"text", one.text}, {"holds_if", one.condition.text}, {"outcome", outcome_name(found.outcome)}, {"why", found.why}}));
    }
    Json gate = Json::object({{"open", status.gate_judged ? Json(status.gate_open) : Json()}, {"why", status.gate_why}});
    phases.push(Json::object({{"name", design.name}, {"title", design.title}, {"state", phase_state_name(status.state)}, {"gate", std::move(gate)},
                              {"predictions_sha256", status.predictions_digest}, {"steps", std::move(steps)}, {"predictions", std::move(predictions)}}));
  }
  return Json::object({{"name", standing.design.name}, {"question", standing.design.question}, {"phases", std::move(phases)},
                       {"decision", standing.decision}, {"stopped_by", standing.next.kind == Action::Kind::nothing && standing.next.why != "done" ? standing.next.why : ""},
                       {"done", standing.next.kind == Action::Kind::nothing && standing.next.why == "done"}});
}

}  // namespace hearth::experiment
