// hearth eval lint|ls|show: the prompts of a suite, and whether they can be trusted.

#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "hearth/cli/environment.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/eval/sandbox/sandbox.h"
#include "hearth/eval/suite/lint.h"

namespace hearth::cli {
namespace {

struct SuiteFlags {
  std::filesystem::path folder;
  std::filesystem::path python;
  std::string item;
  bool json = false, answers = false;
};

void declare_folder(SuiteFlags& own, Flags& flags) {
  flags.path("folder,--suite", own.folder, "a folder of items; the suite that ships without it");
  flags.toggle("--json", own.json, "one JSON document");
}

Result<eval::LoadedSuite> load(const std::filesystem::path& folder) {
  if (folder.empty()) return eval::load_suite(eval::shipped_suite_files(), "eval");
  const auto files = TRY(eval::read_suite_files(folder));
  return eval::load_suite(files, folder.string());
}

Result<eval::Sandbox> open_sandbox(const std::filesystem::path& python) {
  const auto launcher = TRY(find_sandbox_executable());
  return eval::Sandbox::open(launcher, python);
}

int run_lint(const SuiteFlags& own, const StopToken& stop) {
  const auto loaded = load(own.folder);
  if (!loaded) return report(loaded.error());
  const auto sandbox = open_sandbox(own.python);
  Progress progress;
  const auto found = eval::lint_suite(*loaded, sandbox ? &*sandbox : nullptr, sandbox ? "" : sandbox.error().message, stop,
                                      [&](double share) { progress.update("trying sample answers", share); });
  progress.clear();
  if (!found) return report(found.error());
  if (own.json) {
    std::puts(dump_json(eval::lint_json(*found, loaded->suite), 2).c_str());
  } else {
    for (const std::string& one : found->findings) std::puts(one.c_str());
    std::puts(fmt::format("{} items, {} sample answers graded, {} findings", found->items, found->sample_answers, found->findings.size()).c_str());
  }
  return found->findings.empty() ? exit_done : exit_no;
}

Json row_json(const eval::Item& item) {
  return Json::object({{"id", item.id},
                       {"class", eval::class_name(item.task_class)},
                       {"title", item.title},
                       {"cluster", item.cluster},
                       {"egress", eval::egress_name(item.egress)},
                       {"grader", eval::grader_kind(item.grader)},
                       {"needs_judge", eval::needs_judge(item.grader)},
                       {"prompt_tokens_about", eval::prompt_tokens_about(item)},
                       {"max_tokens", item.max_tokens},
                       {"prompt_digest", eval::prompt_digest(item).hex()},
                       {"digest", eval::item_digest(item).hex()}});
}

int run_ls(const SuiteFlags& own) {
  const auto suite = eval::open_suite(own.folder);
  if (!suite) return report(suite.error());
  if (own.json) {
    Json items = Json::array();
    for (const eval::Item& item : suite->items) items.push(row_json(item));
    std::puts(dump_json(Json::object({{"suite", suite->name}, {"digest", suite->digest.hex()}, {"items", std::move(items)}}), 2).c_str());
    return exit_done;
  }
  Table rows({"item", "grader", ">prompt", ">answer", "egress", "title"});
  for (const eval::Item& item : suite->items) {
    rows.add({item.id, std::string(eval::grader_kind(item.grader)), fmt::format("{} t", eval::prompt_tokens_about(item)),
              fmt::format("{} t", item.max_tokens), std::string(eval::egress_name(item.egress)), item.title});
  }
  std::fputs(rows.text().c_str(), stdout);
  std::puts(fmt::format("{} items; suite {} {}", suite->items.size(), suite->name, suite->digest.short_hex()).c_str());
  return exit_done;
}

std::string answers_text(const eval::Item& item) {
  std::string out;
  for (const eval::SampleAnswer& answer : item.answers) {
    out += fmt::format("\n--- {} answer: {}\n{}\n", answer.is_reference ? "right" : "wrong", answer.name, answer.text);
  }
  return out;
}

int run_show(const SuiteFlags& own) {
  const auto suite = eval::open_suite(own.folder);
  if (!suite) return report(suite.error());
  const eval::Item* item = suite->find(own.item);
  if (item == nullptr) {
    return report(Error{Code::invalid_argument, fmt::format("there is no item '{}'; 'hearth eval ls' names them", own.item)});
  }
  Json json = row_json(*item);
  Json messages = Json::array();
  for (const chat::Message& message : item->messages) {
    messages.push(Json::object({{"role", chat::role_name(message.role)}, {"text", message.text}}));
  }
  json.set("messages", std::move(messages));
  json.set("grader", eval::grader_json(item->grader));
  if (own.json) {
    std::puts(dump_json(json, 2).c_str());
    return exit_done;
  }
  std::string out = fmt::format("{}: {}\n{}, egress {}, answer of at most {} tokens, digest {}\n", item->id, item->title, eval::class_name(item->task_class),
                                eval::egress_name(item->egress), item->max_tokens, eval::item_digest(*item).short_hex());
  for (const chat::Message& message : item->messages) out += fmt::format("\n--- {}\n{}\n", chat::role_name(message.role), message.text);
  out += fmt::format("\n--- grader\n{}\n", dump_json(eval::grader_json(item->grader), 2));
  if (own.answers) out += answers_text(*item);
  std::fputs(out.c_str(), stdout);
  return exit_done;
}

}  // namespace

Verb eval_lint_verb(StopToken stop) {
  const auto own = std::make_shared<SuiteFlags>();
  return {.name = "lint",
          .summary = "check a suite: form, duplicates, rubrics, egress flags, and that graders tell right from wrong; exit 1 on findings",
          .example = "hearth eval lint ~/my-prompts",
          .declare =
              [own](Flags& flags) {
                declare_folder(*own, flags);
                flags.path("--python", own->python, "the Python 3 that runs code (the system's without it)");
              },
          .run = [own, stop] { return run_lint(*own, stop); }};
}

Verb eval_ls_verb() {
  const auto own = std::make_shared<SuiteFlags>();
  return {.name = "ls",
          .summary = "the items of a suite",
          .example = "hearth eval ls ~/my-prompts --json",
          .declare = [own](Flags& flags) { declare_folder(*own, flags); },
          .run = [own] { return run_ls(*own); }};
}

Verb eval_show_verb() {
  const auto own = std::make_shared<SuiteFlags>();
  return {.name = "show",
          .summary = "one item: the prompt as an arm gets it, and how its answers are graded",
          .example = "hearth eval show code/shift-merge --answers",
          .declare =
              [own](Flags& flags) {
                flags.text("item", own->item, "its id");
                flags.required();
                flags.path("--suite", own->folder, "a folder of items; the suite that ships without it");
                flags.toggle("--answers", own->answers, "its sample answers too");
                flags.toggle("--json", own->json, "one JSON document");
              },
          .run = [own] { return run_show(*own); }};
}

}  // namespace hearth::cli
