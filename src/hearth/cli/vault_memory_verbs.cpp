#include <fmt/format.h>

#include <cstdio>

#include "hearth/cli/chat_setup.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/memory_place.h"
#include "hearth/cli/memory_verbs.h"
#include "hearth/cli/table.h"
#include "hearth/cli/vault_texts.h"
#include "hearth/session/chat_loop.h"

namespace hearth::cli {

using session::MemoryFiles;

void print_json(const Json& json) { std::puts(dump_json(json, 2).c_str()); }

Result<std::string> folder_of(const MemoryFlags& flags) {
  auto folder = TRY(memory_name(flags.folder));
  if (folder.empty()) {
    return fail(Code::not_found, "no memory folder: name one with --memory DIR, or make memory in the configuration directory");
  }
  return folder;
}

Result<> check_in_the_clear(const MemoryFlags& flags, bool is_sealed, const std::string& what) {
  if (!is_sealed || flags.confirm == "in the clear") return {};
  return fail(Code::permission, fmt::format("{} is sealed, and this is not encrypted: say --confirm \"in the clear\" if that is what you want",
                                            what));
}

// The plain one that is there without being named, and those of the vault.
Result<> list_memory(const MemoryFlags& flags) {
  Json all = Json::array();
  std::string text;
  const auto note = [&](const std::string& name, bool is_sealed) {
    all.push(Json::object({{"folder", name}, {"sealed", is_sealed}}));
    text += name + "\n";
  };
  if (const std::string usual = TRY(memory_name({})); !usual.empty()) note(usual, false);
  const auto keys = connect_vault();
  if (keys) {
    const auto names = TRY(VaultMemory::list(**keys));
    for (const std::string& name : names) note(name, true);
  } else if (vault::Vault::exists(TRY(vault_directory({})))) {
    fmt::print(stderr, "the vault's own are not listed: {}\n", keys.error().message);
  }
  if (flags.json) print_json(Json::object({{"folders", std::move(all)}, {"vault_locked", !keys}}));
  else fmt::print("{}", text.empty() ? "no memory yet\n" : text);
  return {};
}

// What is in one folder goes into another; what only the other has stays.
Result<> import_memory(const MemoryFlags& flags) {
  const auto source_name = TRY(memory_name(flags.from));
  const auto folder = TRY(folder_of(flags));
  if (source_name == folder) return fail(Code::invalid_argument, "from where? Name a folder other than " + folder);
  TRY(check_in_the_clear(flags, is_vault_memory(source_name) && !is_vault_memory(folder), source_name));
  const auto source = TRY(open_memory(source_name));
  const MemoryFiles files = TRY(source->read());
  const auto place = TRY(open_memory(folder, /*make=*/true));
  const MemoryFiles known = TRY(place->read());
  MemoryFiles wanted = known;
  for (const auto& [path, text] : files) wanted[path] = text;
  const auto report = TRY(place->fold(known, wanted, session::time_stamp(unix_time_s())));
  if (flags.json) {
    print_json(Json::object({{"folder", folder}, {"from", source_name}, {"written", report.written.size()}, {"conflicts", report.conflicts.size()}}));
    return {};
  }
  fmt::print("{}: {} files written, {} were there already\n", folder, report.written.size(), files.size() - report.written.size());
  if (!is_vault_memory(source_name) && is_vault_memory(folder)) {
    fmt::print(stderr, "{} is still on the disk in the clear; delete it, and empty the places that keep deleted files\n", source_name);
  }
  return {};
}

Result<> memory_history(const MemoryFlags& flags) {
  const auto folder = TRY(folder_of(flags));
  if (!is_vault_memory(folder)) {
    return fail(Code::invalid_argument, fmt::format("the old versions of a plain folder are files in {}/.hearth/backup", folder));
  }
  const auto memory = TRY(open_vault_memory(folder));
  std::vector<std::string> damaged;
  const auto versions = TRY(memory->history(&damaged));
  for (const std::string& each : damaged) fmt::print(stderr, "not readable: {}\n", each);
  if (flags.version > versions.size()) return fail(Code::not_found, fmt::format("there are {} versions", versions.size()));
  if (flags.version > 0) {
    const std::string text = versions[flags.version - 1].text.value_or("");
    std::fwrite(text.data(), 1, text.size(), stdout);
    return {};
  }
  Json all = Json::array();
  Table table({">version", "when", "file", "what"});
  for (std::size_t i = 0; i < versions.size(); ++i) {
    const MemoryVersion& one = versions[i];
    const std::string what = one.set_aside ? "set aside" : one.text ? "written" : "removed";
    all.push(Json::object({{"version", i + 1}, {"when", one.stamp}, {"path", one.path}, {"what", what}, {"bytes", one.text.value_or("").size()}}));
    table.add({std::to_string(i + 1), one.stamp, one.path, what});
  }
  if (flags.json) print_json(Json::object({{"folder", folder}, {"versions", std::move(all)}, {"damaged", damaged.size()}}));
  else fmt::print("{}", table.text());
  return {};
}

Result<> forget_memory(const MemoryFlags& flags) {
  const auto folder = TRY(folder_of(flags));
  if (!is_vault_memory(folder)) return fail(Code::invalid_argument, "a plain folder is yours to delete: " + folder);
  if (flags.confirm != folder) {
    return fail(Code::invalid_argument, fmt::format("forgetting cannot be undone: say --memory {} --confirm {}", folder, folder));
  }
  const auto keys = TRY(connect_vault());
  TRY(VaultMemory::forget(*keys, folder));
  if (flags.json) print_json(Json::object({{"folder", folder}, {"forgotten", true}}));
  else fmt::print("{} is gone, with all versions; sessions that began with it keep their own copy\n", folder);
  return {};
}

}  // namespace hearth::cli
