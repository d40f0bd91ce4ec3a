#include "hearth/experiment/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "hearth/base/toml.h"
#include "hearth/experiment/step_process.h"

namespace hearth::experiment {
namespace {

constexpr std::uint64_t sampled_beyond_bytes = 64u << 20;  // smaller files are read whole
constexpr std::size_t samples = 64;
constexpr std::size_t sample_bytes = 1u << 20;
constexpr std::uintmax_t full_below_bytes = 1u << 20;

// Size and content; of a large file, 64 places evenly over it.
Result<std::string> fingerprint(const std::filesystem::path& path) {
  const auto file = TRY(ReadableFile::open(path));
  const std::uint64_t size = file.size_bytes();
  const std::uint64_t pieces = size <= sampled_beyond_bytes ? (size + sample_bytes - 1) / sample_bytes : samples;
  Blake2b hash;
  hash.update_number(size);
  Bytes buffer(sample_bytes);
  for (std::uint64_t i = 0; i < pieces; ++i) {
    const std::uint64_t offset = size <= sampled_beyond_bytes ? i * sample_bytes : (size - sample_bytes) / (samples - 1) * i;
    const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(sample_bytes, size - offset));
    TRY(file.read_at(offset, std::span(buffer).first(length)));
    hash.update(ByteSpan(buffer).first(length));
  }
  return hash.finish().hex();
}

Result<> write_text(const std::filesystem::path& path, const std::string& text) {
  const ByteSpan bytes = as_byte_span(text);
  return real_file_system()->write_atomically(path, std::span(&bytes, 1), Durability::survives_power_loss);
}

Result<> write_json(const std::filesystem::path& path, const Json& json) {
  return write_text(path, dump_json(json, 2) + "\n");
}

Json texts_json(const std::vector<std::string>& texts) {
  Json out = Json::array();
  for (const std::string& text : texts) out.push(text);
  return out;
}

Json command_json(const Step& step, const RunnerOptions& options) {
  return Json::object({{"step", step.name},
                       {"verb", texts_json(step.verb)},
                       {"arguments", texts_json(step.arguments)},
                       {"command", texts_json(step.command)},
                       {"environment", options.environment}});
}

Json predictions_json(const Phase& phase) {
  Json out = Json::array();
  for (const Prediction& prediction : phase.predictions) {
    Json one = Json::object({{"name", prediction.name}, {"statement", prediction.statement}});
    if (prediction.recorded) {
      one.set("recorded", prediction.recorded->statement.text);
      one.set("before", prediction.recorded->before.text);
      one.set("after", prediction.recorded->after.text);
    }
    if (prediction.holds) one.set("holds", prediction.holds->text);
    if (prediction.value) {
      one.set("value", prediction.value->text);
      one.set("expected", prediction.expected_text);
      one.set("within_percent", prediction.within_percent);
    }
    out.push(std::move(one));
  }
  return out;
}

// What failed for want of room can often not say so: its log is on the same disk.
std::string full_disk_text(const std::filesystem::path& directory) {
  std::error_code error;
  const auto space = std::filesystem::space(directory, error);
  if (error || space.available >= full_below_bytes) return "";
  return fmt::format("; the disk of {} is full: {} bytes are left", directory.string(), space.available);
}

// A verb's output is JSON or nothing; a command's may be any text.
Result<Json> read_output(const std::filesystem::path& path, bool must_be_json) {
  const std::string text = TRY(read_text_file(path, step_output_bytes_max));
  auto json = parse_json(text);
  if (json) return json;
  if (must_be_json) return fail(Code::corrupt, "its output is not one JSON document: " + json.error().message);
  return Json::object({{"text", text}});
}

Result<std::string> digest_of_file(const std::filesystem::path& path) {
  return Blake2b().update(TRY(read_text_file(path, step_output_bytes_max))).finish().hex();
}

// Clusters, catalogues, arms: TOML files that steps name, also as "TARGET=FILE", and that are there.
std::set<std::filesystem::path> files_named(const Phase& phase, const std::filesystem::path& working_directory) {
  std::set<std::filesystem::path> out;
  for (const Step& step : phase.steps) {
    for (const auto* list : {&step.command, &step.arguments}) {
      for (const std::string& text : *list) {
        const auto path = (working_directory / text.substr(text.rfind('=') + 1)).lexically_normal();  // npos + 1 is 0
        std::error_code ignored;
        if (path.extension() == ".toml" && std::filesystem::is_regular_file(path, ignored)) out.insert(path);
      }
    }
  }
  return out;
}

// Under what names they were kept, with their digests.
Result<Json> keep_configuration(const Phase& phase, const RunnerOptions& options) {
  const auto folder = options.directory / "evidence" / ("phase." + phase.name);  // no step has a dot in its name
  TRY(real_file_system()->create_directories(folder));
  Json out = Json::object();
  const auto keep = [&](std::string name, const std::string& text) -> Result<> {
    while (out.find(name) != nullptr) name = "other-" + name;
    out.set(name, Blake2b().update(text).finish().hex());
    return write_text(folder / name, text);
  };
  TRY(keep("experiment.toml", options.text));
  for (const auto& path : files_named(phase, options.working_directory)) {
    TRY(keep(path.filename().string(), TRY(read_text_file(path, toml_bytes_max))));
  }
  return out;
}

}  // namespace

Result<Runner> Runner::open(Spec spec, RunnerOptions options) {
  const auto path = options.directory / "ledger.jsonl";
  if (!options.looks_only) TRY(real_file_system()->create_directories(options.directory / "evidence"));
  auto ledger = TRY(options.looks_only ? Ledger::look(path) : Ledger::open(path, options.wall_time));
  return Runner(std::move(spec), std::move(options), std::move(ledger));
}

Progress Runner::progress() const {
  Progress out = replay(spec_, ledger_.events());
  out.is_running_elsewhere = ledger_.is_written_elsewhere();
  return out;
}

std::filesystem::path Runner::evidence_of(const std::string& step, std::uint32_t attempt) const {
  return options_.directory / "evidence" / step / std::to_string(attempt);
}

Result<RunEnd> Runner::run(const StopToken& stop) {
  for (;;) {
    if (stop.stop_requested()) return fail(Code::cancelled, "stopped; hearth experiment resume goes on from here");
    const Progress now = progress();
    const Action action = next_action(spec_, now);
    if (const auto* begin = std::get_if<BeginPhase>(&action)) {
      TRY(begin_phase(spec_.phases[begin->phase]));
    } else if (const auto* run = std::get_if<RunStep>(&action)) {
      TRY(check_files(now));
      TRY(run_step(spec_.phases[run->phase].steps[run->step], now.phases[run->phase].steps[run->step].attempts + 1, stop));
    } else if (const auto* judge = std::get_if<JudgeGate>(&action)) {
      TRY(judge_gate(spec_.phases[judge->phase]));
    } else if (std::holds_alternative<GateClosed>(action)) {
      return RunEnd::gate_closed;
    } else if (const auto* refused = std::get_if<Refused>(&action)) {
      return fail(Code::invalid_argument, refused->why);
    } else {
      return RunEnd::finished;
    }
  }
}

Result<> Runner::begin_phase(const Phase& phase) {
  options_.tell(fmt::format("phase {}: {} predictions recorded", phase.name, phase.predictions.size()));
  Json configuration = TRY(keep_configuration(phase, options_));
  return ledger_.append("phase_began", Json::object({{"phase", phase.name},
                                                     {"configuration", std::move(configuration)},
                                                     {"predictions", predictions_json(phase)},
                                                     {"predictions_digest", digest_of_predictions(phase)}}));
}

Result<std::vector<std::pair<std::string, std::string>>> Runner::fingerprints() const {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& path : spec_.watch) {
    auto print = fingerprint(options_.working_directory / path);
    if (!print) return std::unexpected(with_context(print.error(), "watch"));
    out.emplace_back(path, *std::move(print));
  }
  return out;
}

// All results have to be of the same files.
Result<> Runner::check_files(const Progress& now) {
  if (spec_.watch.empty()) return {};
  const auto prints = TRY(fingerprints());
  for (const auto& [path, print] : prints) {
    const auto before = std::ranges::find(now.files_seen, path, &std::pair<std::string, std::string>::first);
    if (before == now.files_seen.end() || before->second == print) continue;
    return fail(Code::invalid_argument,
                fmt::format("{} is not the file that the results so far are of; restore it, or begin a new experiment (--dir)", path));
  }
  if (now.files_seen == prints) return {};
  Json files = Json::object();
  for (const auto& [path, print] : prints) files.set(path, print);
  return ledger_.append("files_seen", Json::object({{"files", std::move(files)}}));
}

Result<> Runner::run_step(const Step& step, std::uint32_t attempt, const StopToken& stop) {
  options_.tell(fmt::format("step {}{}", step.name, step.what.empty() ? "" : ": " + step.what));
  const auto directory = evidence_of(step.name, attempt);
  TRY(real_file_system()->create_directories(directory));
  TRY(write_json(directory / "command.json", command_json(step, options_)));
  TRY(ledger_.append("step_began", Json::object({{"step", step.name}, {"attempt", attempt}})));
  TRY(ledger_.reserve_next_line());  // a measurement whose end cannot be written would be made again
  const auto files_before = TRY(fingerprints());
  const auto output = directory / "output.json", errors = directory / "errors.log";
  const StepOutcome outcome = TRY(run_step_process(step, options_.hearth, options_.working_directory, output, errors, stop));

  std::string why = outcome.trouble;
  const bool is_accepted_code = std::ranges::find(step.accept, outcome.exit_code) != step.accept.end();
  if (why.empty() && !is_accepted_code) why = fmt::format("exit code {}", outcome.exit_code);
  if (why.empty()) {
    if (const auto result = read_output(output, !step.verb.empty()); !result) why = result.error().message;
  }
  if (why.empty()) {
    if (TRY(fingerprints()) != files_before) why = "a watched file changed while it ran";
  }
  TRY(ledger_.append("step_ended", Json::object({{"step", step.name},
                                                 {"attempt", attempt},
                                                 {"accepted", why.empty()},
                                                 {"why", why},
                                                 {"exit_code", outcome.exit_code},
                                                 {"seconds", outcome.seconds},
                                                 {"definition_digest", step.digest().hex()},
                                                 {"output_digest", TRY(digest_of_file(output))},
                                                 {"environment", options_.environment}})));
  if (why.empty()) return {};
  return fail(Code::unavailable, fmt::format("step {}: {}; see {}{}", step.name, why, errors.string(), full_disk_text(directory)));
}

Result<> Runner::judge_gate(const Phase& phase) {
  const FindResult found = TRY(results());
  bool is_open = true;
  Json why = Json::array();
  for (const Condition& condition : phase.gate.conditions) {
    const Judgement judgement = judge(condition, found);
    if (!judgement.holds.value_or(false)) {
      is_open = false;
      why.push(judgement.why);
    }
  }
  options_.tell(fmt::format("gate of {}: {}", phase.name, is_open ? "open" : "closed"));
  return ledger_.append("gate", Json::object({{"phase", phase.name}, {"open", is_open}, {"why", std::move(why)}}));
}

Result<> Runner::measure_again(std::string_view name) {
  const Phase* phase = spec_.phase_of(name);
  if (phase == nullptr) return fail(Code::not_found, fmt::format("no step is called '{}'", name));
  return ledger_.append("step_void", Json::object({{"step", name}, {"why", "to be measured again"}}));
}

Result<> Runner::open_gate(std::string_view name, std::string_view because) {
  const auto phase = std::ranges::find(spec_.phases, name, &Phase::name);
  if (phase == spec_.phases.end()) return fail(Code::not_found, fmt::format("no phase is called '{}'", name));
  const auto index = static_cast<std::size_t>(phase - spec_.phases.begin());
  if (progress().phases[index].state != PhaseState::closed) {
    return fail(Code::invalid_argument, fmt::format("the gate of '{}' is not closed", name));
  }
  if (because.empty()) return fail(Code::invalid_argument, "a closed gate is opened with a reason: --because \"…\"");
  return ledger_.append("gate_opened", Json::object({{"phase", name}, {"because", because}}));
}

Result<const Json*> Runner::result_of(std::string_view name) {
  const Phase* phase = spec_.phase_of(name);
  if (phase == nullptr) return nullptr;
  const auto at = static_cast<std::size_t>(std::ranges::find(phase->steps, name, &Step::name) - phase->steps.begin());
  const auto phase_at = static_cast<std::size_t>(phase - spec_.phases.data());
  const StepProgress step = progress().phases[phase_at].steps[at];
  if (step.state != StepState::done) return nullptr;
  const std::string key = fmt::format("{}/{}", name, step.result_attempt);
  if (const auto held = results_.find(key); held != results_.end()) return &held->second;
  const auto path = evidence_of(std::string(name), step.result_attempt) / "output.json";
  if (TRY(digest_of_file(path)) != step.output_digest) {
    return fail(Code::corrupt, fmt::format("{}: was changed since it was measured; measure again: --again {}", path.string(), name));
  }
  Json result = TRY(read_output(path, false));
  return &results_.emplace(key, std::move(result)).first->second;
}

Result<FindResult> Runner::results() {
  std::vector<std::pair<std::string, const Json*>> found;
  for (const Phase& phase : spec_.phases) {
    for (const Step& step : phase.steps) found.emplace_back(step.name, TRY(result_of(step.name)));
  }
  return [found = std::move(found)](std::string_view name) -> const Json* {
    const auto one = std::ranges::find(found, name, [](const auto& each) { return std::string_view(each.first); });
    return one == found.end() ? nullptr : one->second;
  };
}

}  // namespace hearth::experiment
