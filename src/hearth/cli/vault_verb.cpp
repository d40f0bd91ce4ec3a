// hearth vault init|unlock|lock|status|passphrase|backup|restore|wipe: docs/vault.md.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "hearth/base/child_process.h"
#include "hearth/base/hardening.h"
#include "hearth/base/json.h"
#include "hearth/base/log.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/passphrase.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/vault/keeper.h"
#include "hearth/vault/keeper_client.h"

namespace hearth::cli {
namespace {

constexpr Duration unlock_time_max = std::chrono::minutes(2);  // Argon2id on a slow machine
constexpr std::string_view wipe_words = "wipe the vault";

struct VaultFlags {
  std::filesystem::path directory, copy;
  PassphraseSource passphrase, fresh;
  std::uint32_t idle_minutes = 30;
  std::string confirm;
  bool json = false;
};

// One line for people, or one document for programs.
void tell(const VaultFlags& flags, const Json& json, const std::string& text) {
  std::puts(flags.json ? dump_json(json, 2).c_str() : text.c_str());
}

int done(const Result<>& result) { return result ? exit_done : report(result.error()); }

Result<> init(const VaultFlags& flags, const StopToken& stop) {
  TRY(harden_process());
  const auto directory = TRY(vault_directory(flags.directory));
  if (vault::Vault::exists(directory)) return fail(Code::invalid_argument, "there is a vault at " + directory.string() + " already");
  const vault::Secret passphrase = TRY(read_passphrase(flags.passphrase, "passphrase of the new vault", true, stop));
  TRY(vault::Vault::create(directory, passphrase));
  tell(flags, Json::object({{"vault", directory.string()}}),
       fmt::format("a new vault is at {}; without the passphrase nobody opens it, you neither", directory.string()));
  return {};
}

// Whoever reads what hearth vault unlock says would wait for our end otherwise.
void leave_streams() {
  const FileDescriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) (void)::dup2(nothing.get(), stream);
}

// The process that hearth vault unlock leaves behind: the passphrase comes on standard input.
Result<> keep(const VaultFlags& flags, const StopToken& stop) {
  start_log("vault", LogLevel::off);
  TRY(harden_process());
  const auto directory = TRY(vault_directory(flags.directory));
  vault::Secret passphrase = TRY(read_passphrase({.fd = "0", .command = {}}, "", false, stop));
  auto opened = TRY(vault::Vault::unlock(directory, passphrase));
  passphrase.wipe();
  auto listener = TRY(net::Listener::listen(vault::keeper_address(directory)));
  vault::Keeper keeper(std::move(opened), std::move(listener), std::chrono::minutes(flags.idle_minutes));
  std::puts("ready");
  std::fflush(stdout);
  leave_streams();
  TRY(keeper.run(stop));
  return {};
}

Result<> unlock(const VaultFlags& flags, const StopToken& stop) {
  TRY(harden_process());
  const auto directory = TRY(vault_directory(flags.directory));
  if (!vault::Vault::exists(directory)) return fail(Code::not_found, "no vault at " + directory.string() + "; hearth vault init makes one");
  if (vault::KeeperClient::connect(directory)) {
    tell(flags, Json::object({{"locked", false}}), "the vault is open already");
    return {};
  }
  const vault::Secret passphrase = TRY(read_passphrase(flags.passphrase, "passphrase", false, stop));
  // Here first: what is wrong is told here.
  TRY(vault::Vault::unlock(directory, passphrase));
  ChildProcess keeper = TRY(ChildProcess::start(own_executable(),
      {"vault", "keep", "--vault", directory.string(), "--idle-minutes", std::to_string(flags.idle_minutes)},
      {.apart = true}));
  TRY(keeper.write_input(passphrase.span()));
  keeper.close_input();
  const ByteSpan said = TRY(keeper.read_output(Deadline::after(unlock_time_max), stop));
  if (!as_text(said).starts_with("ready")) return fail(Code::unavailable, "the process that keeps the vault open did not start");
  keeper.release();
  const auto swaps = vault::disk_swap_areas();
  if (!swaps.empty()) {
    std::fprintf(stderr, "hearth: this machine swaps to %s; keys are locked in memory, text in use is not. Encrypt the swap, "
                         "or run hearth serve under MemorySwapMax=0\n", swaps[0].c_str());
  }
  tell(flags, Json::object({{"locked", false}, {"idle_minutes", flags.idle_minutes}}),
       flags.idle_minutes == 0 ? std::string("open until hearth vault lock")
                               : fmt::format("open; it locks after {} minutes without use", flags.idle_minutes));
  return {};
}

Result<> lock(const VaultFlags& flags) {
  const auto directory = TRY(vault_directory(flags.directory));
  if (!vault::Vault::exists(directory)) return fail(Code::not_found, "no vault at " + directory.string());
  if (auto keeper = vault::KeeperClient::connect(directory)) TRY((*keeper)->lock());
  tell(flags, Json::object({{"locked", true}}), "locked");
  return {};
}

Result<> status(const VaultFlags& flags) {
  const auto directory = TRY(vault_directory(flags.directory));
  if (!vault::Vault::exists(directory)) return fail(Code::not_found, "no vault at " + directory.string() + "; hearth vault init makes one");
  const auto keeper = vault::KeeperClient::connect(directory);
  Json swaps = Json::array();
  for (const std::string& area : vault::disk_swap_areas()) swaps.push(area);
  Json out = Json::object({{"vault", directory.string()}, {"locked", !keeper}, {"disk_swap", std::move(swaps)}});
  std::string text = directory.string() + ": locked";
  if (keeper) {
    const Json inside = TRY(parse_json(TRY((*keeper)->status_json())));
    for (const auto& [name, value] : inside.as_object()) out.set(name, value);
    text = fmt::format("{}: open, {} collections", directory.string(), TRY(get<std::int64_t>(inside, "collections")));
    if (const double left_s = TRY(get<double>(inside, "idle_left_s")); left_s >= 0) {
      text += fmt::format(", locks in {:.0f} minutes without use", left_s / 60);
    }
    if (const Json* damaged = inside.find("damaged_keys"); damaged != nullptr && damaged->is_array()) {
      for (const Json& each : damaged->as_array()) text += "\ndamaged: " + each.as_string();
    }
  }
  tell(flags, out, text);
  return {};
}

Result<> passphrase(const VaultFlags& flags, const StopToken& stop) {
  TRY(harden_process());
  const auto directory = TRY(vault_directory(flags.directory));
  const vault::Secret old_one = TRY(read_passphrase(flags.passphrase, "passphrase now", false, stop));
  TRY(vault::Vault::unlock(directory, old_one));
  const vault::Secret new_one = TRY(read_passphrase(flags.fresh, "new passphrase", true, stop));
  TRY(vault::Vault::change_passphrase(directory, old_one, new_one));
  tell(flags, Json::object({{"changed", true}}),
       "the passphrase is changed; backups made before still open with the old one");
  return {};
}

// Exit 1 when something was left out.
int copied(const VaultFlags& flags, const Result<vault::CopyReport>& result, std::string_view what) {
  if (!result) return report(result.error());
  Json damaged = Json::array();
  std::string text = fmt::format("{} {} files, {}", what, result->files, human_bytes(static_cast<double>(result->bytes)));
  for (const std::string& each : result->damaged) {
    damaged.push(each);
    text += "\nleft out: " + each;
  }
  tell(flags, Json::object({{"files", result->files}, {"bytes", result->bytes}, {"damaged", std::move(damaged)}}), text);
  return result->damaged.empty() ? exit_done : exit_no;
}

Result<> check_copy_folder(const VaultFlags& flags) {
  if (!flags.copy.empty()) return {};
  return fail(Code::invalid_argument, "name the folder of the backup");
}

int backup(const VaultFlags& flags) {
  const auto directory = vault_directory(flags.directory);
  if (!directory) return report(directory.error());
  if (const auto named = check_copy_folder(flags); !named) return report(named.error());
  return copied(flags, vault::backup_vault(*directory, flags.copy), "backed up");
}

int restore(const VaultFlags& flags) {
  const auto directory = vault_directory(flags.directory);
  if (!directory) return report(directory.error());
  if (const auto named = check_copy_folder(flags); !named) return report(named.error());
  return copied(flags, vault::restore_vault(flags.copy, *directory), "restored");
}

Result<> wipe(const VaultFlags& flags) {
  const auto directory = TRY(vault_directory(flags.directory));
  if (!vault::Vault::exists(directory)) return fail(Code::not_found, "no vault at " + directory.string());
  const std::string typed = flags.confirm.empty()
      ? TRY(ask_terminal(fmt::format("everything in {} will be gone. Type \"{}\"", directory.string(), wipe_words)))
      : flags.confirm;
  if (typed != wipe_words) return fail(Code::invalid_argument, fmt::format("nothing wiped: the words are \"{}\"", wipe_words));
  if (auto keeper = vault::KeeperClient::connect(directory)) TRY((*keeper)->lock());
  const auto report = TRY(vault::wipe_vault(directory));
  tell(flags, Json::object({{"keys", report.keys}, {"files", report.files}}),
       fmt::format("wiped: {} keys, {} files", report.keys, report.files));
  return {};
}

}  // namespace

Verb vault_verb(StopToken stop) {
  const auto flags = std::make_shared<VaultFlags>();  // shared by the children
  const auto common = [flags](Flags& f) {
    f.path("--vault", flags->directory, "the vault's folder (default: in the data directory)");
    f.toggle("--json", flags->json, "one JSON document");
  };
  const auto with_passphrase = [flags, common](Flags& f) {
    common(f);
    declare_passphrase(f, flags->passphrase);
  };
  const auto with_idle = [flags](Flags& f) {
    f.count("--idle-minutes", flags->idle_minutes, "lock after so long without use; 0: never");
  };
  const auto with_copy = [flags, common](Flags& f) {
    common(f);
    f.path("folder,--folder", flags->copy, "the backup's folder");
  };
  return {.name = "vault",
          .summary = "what is sealed, encrypted on the disk: make, open, lock, copy, wipe",
          .children = {
              {.name = "init", .summary = "make a vault", .example = "hearth vault init", .declare = with_passphrase,
               .run = [=] { return done(init(*flags, stop)); }},
              {.name = "unlock", .summary = "open it for every hearth program of this user", .example = "hearth vault unlock --idle-minutes 60",
               .declare = [=](Flags& f) { with_passphrase(f); with_idle(f); }, .run = [=] { return done(unlock(*flags, stop)); }},
              {.name = "lock", .summary = "lock it now: every program forgets its keys", .example = "hearth vault lock", .declare = common,
               .run = [=] { return done(lock(*flags)); }},
              {.name = "status", .summary = "whether it is open, and what in it is damaged", .example = "hearth vault status --json", .declare = common,
               .run = [=] { return done(status(*flags)); }},
              {.name = "passphrase", .summary = "change the passphrase; the data stays as it is", .example = "hearth vault passphrase",
               .declare = [=](Flags& f) { with_passphrase(f); declare_passphrase(f, flags->fresh, "--new-passphrase"); },
               .run = [=] { return done(passphrase(*flags, stop)); }},
              {.name = "backup", .summary = "copy it, locked as it is; exit 1 when something could not be read",
               .example = "hearth vault backup /media/stick/vault", .declare = with_copy, .run = [=] { return backup(*flags); }},
              {.name = "restore", .summary = "bring a backup back; exit 1 when some of it is damaged", .example = "hearth vault restore /media/stick/vault",
               .declare = with_copy, .run = [=] { return restore(*flags); }},
              {.name = "wipe", .summary = "destroy the keys, then the rest", .example = "hearth vault wipe",
               .declare = [=](Flags& f) { common(f); f.text("--confirm", flags->confirm, "the words that the terminal would ask for"); },
               .run = [=] { return done(wipe(*flags)); }},
              {.name = "keep", .summary = "what unlock leaves running; the passphrase comes on standard input",
               .example = "hearth vault keep --idle-minutes 30 <FILE", .declare = [=](Flags& f) { common(f); with_idle(f); },
               .run = [=] { return done(keep(*flags, stop)); }}}};
}

}  // namespace hearth::cli
