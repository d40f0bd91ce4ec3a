// hearth seal status|lower|run|check|log: how far work may travel. docs/seal.md.

#include <fmt/format.h>

#include <cstdio>
#include <ctime>

#include "hearth/base/json.h"
#include "hearth/base/log.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/passphrase.h"
#include "hearth/cli/sealed_child.h"
#include "hearth/cli/serve_seal.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/net/url.h"
#include "hearth/seal/chained_log.h"
#include "hearth/seal_check/whole_house.h"

namespace hearth::cli {
namespace {

struct SealFlags {
  std::string conversation, to = "open", why, confirm;
  std::string gateway = "http://127.0.0.1:8484";
  std::uint32_t port = 8484;
  std::string socket;
  std::vector<std::string> command;
  std::filesystem::path file;
  bool json = false;
};

void print_json(const Json& json) { std::puts(dump_json(json, 2).c_str()); }

int done(const Result<>& result) { return result ? exit_done : report(result.error()); }

int exit_of(const Result<int>& code) { return code ? *code : report(code.error()); }

Result<> status(const SealFlags& flags) {
  const auto directory = TRY(seal_directory());
  const auto labels = TRY(seal::Labeller::look(directory));
  Json list = Json::array();
  Table table({"conversation", "label", "because"});
  for (const auto& [id, decision] : labels->conversations()) {
    Json because = Json::array();
    for (const seal::Reason& reason : decision.reasons) because.push(reason.rule);
    const std::string first = decision.reasons.empty() ? "" : decision.reasons.front().rule;
    table.add({id, std::string(seal::label_name(decision.label)), first});
    list.push(Json::object({{"conversation", id}, {"label", seal::label_name(decision.label)}, {"because", std::move(because)}}));
  }
  const std::size_t count = list.as_array().size();
  if (flags.json) print_json(Json::object({{"conversations", std::move(list)}}));
  else fmt::print("{}{} conversations above open\n", table.text(), count);
  return {};
}

Result<> lower(const SealFlags& flags) {
  const auto directory = TRY(seal_directory());
  const auto labels = TRY(seal::Labeller::open({}, directory));
  const auto all = labels->conversations();
  const auto found = all.find(flags.conversation);
  if (found == all.end()) return fail(Code::not_found, fmt::format("no conversation {} above open; hearth seal status lists them", flags.conversation));
  const seal::Label to = TRY(seal::parse_label(flags.to));
  const std::string phrase = seal::lowering_phrase(flags.conversation, found->second.label, to);
  const std::string typed = flags.confirm.empty() ? TRY(ask_terminal(fmt::format("to do it, type \"{}\"", phrase))) : flags.confirm;
  TRY(labels->lower({.conversation = flags.conversation, .to = to, .who = user_name(), .typed = typed, .why = flags.why},
                    static_cast<std::int64_t>(std::time(nullptr))));
  if (flags.json) print_json(Json::object({{"conversation", flags.conversation}, {"label", flags.to}}));
  else fmt::print("{} is {} now\n", flags.conversation, flags.to);
  return {};
}

// Exit 1 when the log is not what was written.
int verify_log(const SealFlags& flags) {
  const auto check = [&]() -> Result<seal::ChainReport> {
    const auto directory = TRY(seal_directory());
    const auto file = flags.file.empty() ? directory / "labels.jsonl" : flags.file;
    const std::string key = TRY(read_text_file(std::filesystem::path(file).replace_extension(".key"), 64));
    return seal::verify_chained_log(file, key);
  }();
  if (!check) return report(check.error());
  if (flags.json) {
    print_json(Json::object({{"records", check->head.records}, {"head", check->head.chain.hex()}, {"sound", check->is_sound()},
                             {"first_bad_line", check->first_bad_line}, {"what", check->what}}));
  } else if (check->is_sound()) {
    fmt::print("{} records, sound; head {}\n", check->head.records, check->head.chain.short_hex());
  } else {
    fmt::print("line {}: {}\n", check->first_bad_line, check->what);
  }
  return check->is_sound() ? exit_done : exit_no;
}

Result<int> run_client(const SealFlags& flags, const StopToken& stop) {
  if (flags.command.empty()) return fail(Code::invalid_argument, "name the client, for example: hearth seal run -- claude");
  const net::Url gateway = TRY(net::parse_url(flags.gateway));
  return run_sealed({.gateway = gateway.address, .port = static_cast<std::uint16_t>(flags.port),
                     .key = api_key_variable(), .command = flags.command}, stop);
}

// Exit 1 when anything leaked.
Result<int> check(const SealFlags& flags, const StopToken& stop) {
  start_log("seal", LogLevel::off);
  const auto house = TRY(seal_check::WholeHouse::build({}));
  const seal_check::CheckReport found = TRY(seal_check::run_check(*house, stop));
  if (flags.json) {
    print_json(seal_check::to_json(found));
  } else {
    Table table({"path", "leaked"});
    for (const auto& path : found.paths) {
      if (path.leaked) table.add({path.name, path.how});
    }
    if (!found.is_sealed()) fmt::print("{}", table.text());
    fmt::print("{} paths tried, {} leaked\n{}\n", found.paths.size(), found.leaks(),
               found.is_sealed() ? "sealed" : "NOT sealed: give no work to services outside before this is mended");
  }
  return found.is_sealed() ? exit_done : exit_no;
}

}  // namespace

Verb seal_verb(StopToken stop) {
  const auto flags = std::make_shared<SealFlags>();  // shared by the children
  const auto json = [flags](Flags& f) { f.toggle("--json", flags->json, "one JSON document"); };
  return {.name = "seal",
          .summary = "how far work may travel: labels, a check that nothing leaks, clients without a way out",
          .children = {
              {.name = "status", .summary = "conversations above open, and why", .example = "hearth seal status", .declare = json,
               .run = [=] { return done(status(*flags)); }},
              {.name = "lower", .summary = "lower a conversation's label, in words that you type and that are recorded",
               .example = "hearth seal lower 3f2a91c0d4e5b6a7 --to open --why \"published\"",
               .declare =
                   [=](Flags& f) {
                     json(f);
                     f.text("conversation,--conversation", flags->conversation, "as hearth seal status names it");
                     f.required();
                     f.choice("--to", flags->to, {"open", "house"}, "the new label");
                     f.text("--why", flags->why, "for the record");
                     f.text("--confirm", flags->confirm, "the words that the terminal would ask for");
                   },
               .run = [=] { return done(lower(*flags)); }},
              {.name = "log", .summary = "whether a log is what was written; exit 1 if not", .example = "hearth seal log",
               .declare =
                   [=](Flags& f) {
                     json(f);
                     f.path("file,--file", flags->file, "the log (default: the labels'); its key lies beside it as NAME.key");
                   },
               .run = [=] { return verify_log(*flags); }},
              {.name = "check", .summary = "plant canaries and try to leak them by every path; exit 1 if one gets out",
               .example = "hearth seal check --json", .declare = json, .run = [=] { return exit_of(check(*flags, stop)); }},
              {.name = "run", .summary = "run a client that can reach Hearth and nothing else; its exit code",
               .example = "hearth seal run -- claude",
               .declare =
                   [=](Flags& f) {
                     f.text("--gateway", flags->gateway, "where hearth serve answers");
                     f.count("--port", flags->port, "where it answers for the client, on its own loopback");
                     f.list("command", flags->command, "the client and its arguments, after --");
                   },
               .run = [=] { return exit_of(run_client(*flags, stop)); }},
              {.name = "inside", .summary = "the inner half of run", .example = "hearth seal run -- claude",
               .declare =
                   [=](Flags& f) {
                     f.text("--socket", flags->socket, "the way to the gateway");
                     f.required();
                     f.count("--port", flags->port, "of the loopback");
                     f.list("command", flags->command, "the client and its arguments, after --");
                   },
               .run = [=] { return exit_of(run_inside(flags->socket, static_cast<std::uint16_t>(flags->port), flags->command)); }}}};
}

}  // namespace hearth::cli
