// hearth eval run: generate and grade, look by look, until the answer is clear.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "hearth/cli/eval_study.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/verbs.h"

namespace hearth::cli {
namespace {

struct RunFlags {
  std::string suite;
  StudyPlace place;
  std::uint32_t generations = 0, tries = eval::RetryPolicy().tries_max;
  bool generate_only = false, json = false;
};

std::string_view end_name(eval::StudyEnd end) {
  switch (end) {
    case eval::StudyEnd::decided: return "decided";
    case eval::StudyEnd::void_: return "void";
    case eval::StudyEnd::wants_person: return "wants-person";
    case eval::StudyEnd::generated: return "generated";
  }
  return "";
}

std::string next_step(eval::StudyEnd end, const std::string& folder) {
  switch (end) {
    case eval::StudyEnd::decided:
      return fmt::format("The answer is clear. See it: hearth eval decide {0}; hearth eval report {0}", folder);
    case eval::StudyEnd::void_:
      return fmt::format(
          "A control came out wrong; more generations cannot mend that. See which: hearth eval decide {}", folder);
    case eval::StudyEnd::wants_person:
      return fmt::format("A person grades now: hearth eval grade {}. Then run the same command again.", folder);
    case eval::StudyEnd::generated:
      return "Generated as far as was asked. Run the same command without the limit to go on.";
  }
  return "";
}

int run_study(RunFlags& own, const StopToken& stop) {
  own.place.suite = own.suite;
  auto study = begin_study(own.place);
  if (!study) return report(study.error());
  StudyMachine machine(*study);
  if (const auto ready = machine.prepare(); !ready) return report(ready.error());
  Progress progress;
  eval::StudyOptions options{.generations_max = own.generations, .grade = !own.generate_only};
  options.retry.tries_max = std::max(1u, own.tries);
  options.progress = [&](const std::string& what, double share) { progress.update(what, share); };
  const auto end = eval::run_study(machine.parts(), options, stop);
  progress.clear();
  if (!end) return report(end.error());
  if (own.json) {
    std::puts(dump_json(Json::object({{"end", end_name(*end)}, {"study", study->place.folder.string()}}), 2).c_str());
  } else {
    std::puts(next_step(*end, own.place.folder.string()).c_str());
  }
  return *end == eval::StudyEnd::void_ ? exit_no : exit_done;
}

}  // namespace

Verb eval_run_verb(StopToken stop) {
  const auto own = std::make_shared<RunFlags>();
  return {.name = "run",
          .summary =
              "generate and grade, look by look, until the answer is clear; the same command goes on after any "
              "interruption",
          .example = "hearth eval run my-suite --arms arms.toml --study q4-against-q8",
          .declare =
              [own](Flags& flags) {
                flags.text("suite", own->suite, "folder of the suite (default: the one that ships)");
                flags.path("--arms", own->place.arms, "the arms, the judge and the margin: docs/eval_run.md");
                flags.path("--study", own->place.folder, "folder of the records");
                flags.count("-k,--generations", own->generations,
                            "look at no more generations of each prompt than this now (0: as planned)");
                flags.count("--tries", own->tries,
                            "how often an arm or judge that fails is asked before the run stops");
                flags.toggle("--generate-only", own->generate_only, "generate all that is planned; grade later");
                flags.toggle("--json", own->json, "one JSON document");
              },
          .run = [own, stop] { return run_study(*own, stop); },
          .children = {}};
}

}  // namespace hearth::cli
