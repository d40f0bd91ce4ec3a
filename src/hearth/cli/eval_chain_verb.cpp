// hearth eval chain: how many dependent calls does a model make before it goes wrong?

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "hearth/cli/environment.h"
#include "hearth/cli/eval_services.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/eval/study/arm_program.h"
#include "hearth/eval/study/chain_study.h"

namespace hearth::cli {
namespace {

constexpr std::uint64_t arms_bytes_max = 1u << 20;

struct ChainFlags {
  std::filesystem::path arms, folder = "chains";
  std::vector<std::string> chosen;
  eval::ChainPlan plan;
  bool no_plan = false, report_only = false, json = false;
};

struct ReportedArm {
  eval::ChainRecords records;
  eval::ChainArm report;
  double paid_usd = 0;  // with all settings that are in the folder
};

struct ArmComparison {
  std::string candidate, reference;
  eval::LogRank test;
};

Result<std::vector<eval::Arm>> chosen_arms(const ChainFlags& flags) {
  const std::string toml = TRY(read_text_file(flags.arms, arms_bytes_max));
  const eval::ArmsFile file = TRY(eval::parse_arms(toml, flags.arms.string()));
  if (flags.chosen.empty()) return file.arms;
  std::vector<eval::Arm> out;
  for (const std::string& name : flags.chosen) {
    const eval::Arm* arm = file.find(name);
    if (arm == nullptr) {
      return fail(Code::invalid_argument,
                  fmt::format("{} has no arm {}", flags.arms.string(), name));
    }
    out.push_back(*arm);
  }
  return out;
}

Result<> run_arm(const eval::Arm& arm, const ChainFlags& flags, EvalServices& services, store::ChainStore& records,
                 Progress& progress, const StopToken& stop) {
  const std::vector<eval::WantedChain> wanted = TRY(eval::wanted_chains(arm, flags.plan, records));
  if (wanted.empty()) return {};
  const std::unique_ptr<eval::Service> service = TRY(services.connect(arm.endpoint, eval::Egress::open));
  const eval::ArmProgram program = TRY(eval::ArmProgram::start(
      arm, *service, [&](const std::string& what) { progress.update(what, 0); }, stop));
  const auto course = [&](const eval::ChainCourse& at) {
    const std::string money = at.cost_usd > 0 ? fmt::format(", {:.2f} dollars", at.cost_usd) : "";
    progress.update(fmt::format("{}: {} of {}{}", arm.name, at.done, at.total, money),
                    static_cast<double>(at.done) / static_cast<double>(at.total));
  };
  return eval::run_chains(arm, flags.plan, wanted, *service, records, course, stop);
}

Result<std::vector<ReportedArm>> run_arms(const ChainFlags& flags, const StopToken& stop) {
  TRY(eval::check_chain(flags.plan.options));
  if (flags.plan.chains == 0) {
    return fail(Code::invalid_argument,
                "--chains: 0 says nothing; give at least 1, 96 for S(8) within 10 points");
  }
  const std::vector<eval::Arm> arms = TRY(chosen_arms(flags));
  TRY(real_file_system()->create_directories(flags.folder));
  FileDescriptor lock;
  if (!flags.report_only) lock = TRY(claim_records(flags.folder));
  store::ChainStore records = TRY(store::ChainStore::open(flags.folder / "chains.db"));
  EvalServices services;
  Progress progress;
  std::vector<ReportedArm> out;
  for (const eval::Arm& arm : arms) {
    if (!flags.report_only) TRY(run_arm(arm, flags, services, records, progress, stop));
    ReportedArm one{.records = TRY(eval::read_chains(records, arm, flags.plan)), .report = {}};
    if (one.records.chains.empty()) {
      return fail(Code::not_found, fmt::format("{} has no chain of arm {} with these settings",
                                               flags.folder.string(), arm.name));
    }
    one.report = TRY(eval::report_arm(arm.name, one.records.chains, one.records.forced));
    one.paid_usd = TRY(records.paid_usd(arm.name));
    out.push_back(std::move(one));
  }
  return out;
}

// Each arm with the one before it, as in a study.
Result<std::vector<ArmComparison>> compare(const std::vector<ReportedArm>& arms) {
  std::vector<ArmComparison> out;
  for (std::size_t i = 1; i < arms.size(); ++i) {
    out.push_back({arms[i].report.name, arms[i - 1].report.name,
                   TRY(eval::compare_arms(arms[i].records.chains, arms[i - 1].records.chains))});
  }
  return out;
}

Json arm_json(const ReportedArm& arm) {
  Json out = eval::chain_arm_json(arm.report);
  out.set("usd", arm.paid_usd);
  return out;
}

void print_json(const std::vector<ReportedArm>& arms, const std::vector<ArmComparison>& comparisons,
                const eval::ChainPlan& plan) {
  Json out = arm_json(arms.front());
  Json list = Json::array(), compared = Json::array();
  for (const ReportedArm& arm : arms) list.push(arm_json(arm));
  for (const ArmComparison& one : comparisons) {
    compared.push(Json::object({{"a", one.candidate},
                                {"b", one.reference},
                                {"chi_square", one.test.chi_square},
                                {"p", one.test.p},
                                {"p_worse", one.test.p_worse}}));
  }
  out.set("arms", std::move(list));
  out.set("comparisons", std::move(compared));
  out.set("options", eval::chain_options_json(plan.options));
  std::puts(dump_json(out, 2).c_str());
}

std::string errors_text(const std::map<eval::ChainError, std::uint32_t>& errors) {
  std::string out;
  for (const auto& [error, count] : errors) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, eval::chain_error_name(error));
  }
  return out.empty() ? "none" : out;
}

std::string arm_text(const eval::ChainArm& arm) {
  std::string out = eval::chain_sentence(arm) + "\n";
  Table table(
      {">calls", ">at risk", ">failures", ">survival", ">95 % from", ">to", ">forced right"});
  for (const eval::SurvivalPoint& point : arm.survival.points) {
    const bool is_shown = point.depth <= 8 || point.depth % 4 == 0;
    if (!is_shown) continue;
    const auto forced = std::ranges::find(arm.forced, point.depth - 1, &eval::ForcedPoint::depth);
    table.add(
        {std::to_string(point.depth), std::to_string(point.at_risk), std::to_string(point.failures),
         fmt::format("{:.3f}", point.survival), fmt::format("{:.3f}", point.low),
         fmt::format("{:.3f}", point.high),
         forced == arm.forced.end() ? "" : fmt::format("{} of {}", forced->right, forced->asked)});
  }
  out += table.text();
  out += fmt::format(
      "Chains: {}, of which {} to the end, {} lost to the service. Ended by: {}. Mended: {}.\n",
      arm.chains, arm.finished, arm.lost, errors_text(arm.errors), errors_text(arm.recovered));
  if (arm.survival.calls > 0 && arm.survival.failures > 0) {
    out += fmt::format("Hazard a call: {:.3f} up to the eighth, {:.3f} after it.\n",
                       arm.survival.hazard_up_to(8), arm.survival.hazard_after(8));
  }
  if (arm.self_conditioning) {
    out += fmt::format(
        "Self-conditioning at call {}: {:+.3f} (0: mistakes are independent; above: its own "
        "history hurts it).\n",
        arm.self_conditioning_depth, *arm.self_conditioning);
  }
  return out;
}

int run_chain(ChainFlags& flags, const StopToken& stop) {
  flags.plan.options.plan_given = !flags.no_plan;
  flags.plan.retry.tries_max = std::max(1u, flags.plan.retry.tries_max);
  const auto arms = run_arms(flags, stop);
  if (!arms) return report(arms.error());
  const auto comparisons = compare(*arms);
  if (!comparisons) return report(comparisons.error());
  if (flags.json) {
    print_json(*arms, *comparisons, flags.plan);
    return exit_done;
  }
  for (const ReportedArm& arm : *arms) {
    std::fputs(arm_text(arm.report).c_str(), stdout);
    if (arm.paid_usd > 0) fmt::print("Paid for it so far: {:.2f} dollars.\n", arm.paid_usd);
    std::puts("");
  }
  for (const ArmComparison& one : *comparisons) {
    fmt::print("{} against {}: log-rank p {:.4f}; that {} fails earlier: p {:.4f}.\n",
               one.candidate, one.reference, one.test.p, one.candidate, one.test.p_worse);
  }
  return exit_done;
}

void declare_chain(ChainFlags& own, Flags& flags) {
  flags.path("--arms", own.arms,
             "the arms: docs/eval_run.md; each is compared with the one before it");
  flags.required();
  flags.list("--arm", own.chosen, "only this arm; may be given again");
  flags.path("--study", own.folder, "folder of the records");
  flags.count("--chains", own.plan.chains, "chains of each arm");
  flags.count("--calls", own.plan.options.calls, "calls of a chain");
  flags.count("--fill-tokens", own.plan.options.fill_tokens,
              "notes of no use in front of the task, at four bytes a token");
  flags.count("--distractors", own.plan.options.distractor_tools,
              "tools that no step needs, at most 20");
  flags.toggle("--injected-error", own.plan.options.injected_error,
               "the conversation begins with a wrong call and its error");
  flags.toggle("--no-plan", own.no_plan, "the steps are not listed: each result says the next one");
  flags.count("--retries", own.plan.options.retries,
              "wrong calls that a step forgives after an error message");
  flags.toggle("--forced", own.plan.forced,
               "also ask for the next call after every number of right ones");
  flags.count("--turn-tokens", own.plan.turn_tokens_max, "most tokens of a turn, without thinking");
  flags.count("--tries", own.plan.retry.tries_max,
              "how often a service that fails is asked before the run stops");
  flags.big_count("--seed", own.plan.first_seed, "of the first world; the others follow");
  flags.toggle("--report-only", own.report_only, "ask nothing; report what is there");
  flags.toggle("--json", own.json, "one JSON document; the first arm's figures also at the top");
}

}  // namespace

Verb eval_chain_verb(StopToken stop) {
  const auto own = std::make_shared<ChainFlags>();  // shared by declare and run
  return {.name = "chain",
          .summary =
              "how many dependent tool calls a model makes before it goes wrong; the same command "
              "goes on after any interruption",
          .example = "hearth eval chain --arms arms.toml --chains 96 --fill-tokens 64000",
          .declare = [own](Flags& flags) { declare_chain(*own, flags); },
          .run = [own, stop] { return run_chain(*own, stop); },
          .children = {}};
}

}  // namespace hearth::cli
