// hearth cluster init|invite|ls|remove: who belongs to the cluster; decisions, parity, prefill: what it does.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "hearth/cli/agent_verbs.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/node/membership/invites.h"
#include "hearth/node/membership/machine_name.h"
#include "hearth/node/membership/membership_client.h"

namespace hearth::cli {
namespace {

constexpr Duration tell_time_max = std::chrono::seconds(3);  // a machine that sleeps

struct ClusterFlags {
  std::filesystem::path directory;
  std::string machine, cluster = "hearth", address;
  std::uint32_t minutes = 10;
  bool json = false;
};

void print_json(const Json& json) { std::puts(dump_json(json, 2).c_str()); }

std::string day(std::chrono::sys_seconds time) {
  const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(time));
  return fmt::format("{}-{:02}-{:02}", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

Result<> init(const ClusterFlags& flags) {
  const auto directory = TRY(cluster_directory(flags.directory));
  const std::string machine =
      flags.machine.empty() ? node::machine_name_of_host(host_name()) : flags.machine;
  TRY(node::make_cluster(directory, {flags.cluster, machine, flags.address}, node::system_time()));
  if (flags.json) {
    print_json(Json::object({{"cluster", flags.cluster}, {"machine", machine},
                             {"directory", directory.string()}}));
  } else {
    fmt::print("cluster '{}' made; this machine is '{}' and holds its authority ({})\n"
               "keep {} safe: who has it can make members\n"
               "next: hearth cluster invite{}\n",
               flags.cluster, machine, directory.string(),
               node::ClusterPaths{directory}.authority_key().string(),
               flags.address.empty() ? " --address HOST:PORT" : "");
  }
  return {};
}

Result<> invite(const ClusterFlags& flags) {
  const auto directory = TRY(cluster_directory(flags.directory));
  const auto code = TRY(node::invite_machine(
      directory, {flags.machine, flags.minutes, flags.address}, node::system_time()));
  const std::string text = node::join_code_text(code);
  if (flags.json) {
    print_json(Json::object({{"code", text}, {"machine", flags.machine},
                             {"address", code.address.text()}, {"minutes", flags.minutes}}));
  } else {
    fmt::print("on the machine that joins, within {} minutes:\n\n  hearth node join '{}'\n\n"
               "the code works once; hearth must be listening at {} here\n",
               flags.minutes, text, code.address.text());
  }
  return {};
}

Json listing_json(const node::MachineIdentity& own, const node::MemberList& list,
                  const std::vector<node::Invite>& invites, std::chrono::sys_seconds now) {
  Json out = node::to_json(list);
  out.erase("format");
  out.set("this_machine", own.name);
  Json open = Json::array();
  for (const node::Invite& one : invites) {
    open.push(Json::object({{"machine", one.machine}, {"seconds_left", (one.expires - now).count()}}));
  }
  out.set("invites", std::move(open));
  return out;
}

Result<> list(const ClusterFlags& flags) {
  const auto directory = TRY(cluster_directory(flags.directory));
  const auto own = TRY(node::load_identity(directory));
  const auto members = TRY(node::load_members(directory, own.authority_pem));
  const auto now = node::system_time();
  const auto invites = node::open_invites(node::ClusterPaths{directory}.invites(), now);
  if (flags.json) {
    print_json(listing_json(own, members, invites, now));
    return {};
  }
  Table table({"machine", "address", ">serial", "certificate", "expires", ""});
  for (const node::Member& member : members.members) {
    const auto& held = member.certificates.front();
    table.add({member.name, member.address.empty() ? "-" : member.address,
               std::to_string(held.serial), held.certificate_sha256.substr(0, 12), day(held.expires),
               fmt::format("{}{}", member.name == own.name ? "this machine " : "",
                           member.name == members.authority ? "authority" : "")});
  }
  fmt::print("{}cluster '{}', list version {}\n", table.text(), members.cluster, members.version);
  for (const node::RemovedMember& gone : members.removed) fmt::print("removed: {}\n", gone.name);
  for (const node::Invite& one : invites) {
    fmt::print("open invite{}, {} s left\n", one.machine.empty() ? "" : " for " + one.machine,
               (one.expires - now).count());
  }
  return {};
}

// A second call tells those again whom the first did not reach.
bool is_removed_already(const std::filesystem::path& directory, const std::string& machine) {
  const auto own = node::load_identity(directory);
  if (!own) return false;
  const auto list = node::load_members(directory, own->authority_pem);
  return list && list->find(machine) == nullptr &&
         std::ranges::find(list->removed, machine, &node::RemovedMember::name) != list->removed.end();
}

Result<> remove(const ClusterFlags& flags, const StopToken& stop) {
  const auto directory = TRY(cluster_directory(flags.directory));
  const auto removed = node::remove_machine(directory, flags.machine, node::system_time());
  if (!removed && !is_removed_already(directory, flags.machine)) {
    return std::unexpected(removed.error());
  }
  const auto membership = TRY(node::ClusterMembership::open(directory));
  const auto client = node::make_cluster_client(membership);
  const auto told = node::tell_members(*membership, *client, tell_time_max, stop);
  Json knowing = Json::array();
  Json unknowing = Json::array();
  for (const node::Told& one : told) {
    one.error ? unknowing.push(Json::object({{"machine", one.machine}, {"error", one.error->message}}))
              : knowing.push(one.machine);
  }
  if (flags.json) {
    print_json(Json::object({{"removed", flags.machine}, {"told", std::move(knowing)},
                             {"not_told", std::move(unknowing)}}));
    return {};
  }
  fmt::print("'{}' is removed: its certificates are refused from now on\n", flags.machine);
  for (const node::Told& one : told) {
    if (!one.error) {
      fmt::print("told {}\n", one.machine);
    } else {
      fmt::print("not told: {} ({}); the same command again tells it\n", one.machine,
                 one.error->message);
    }
  }
  return {};
}

int exit_code(const Result<>& done) { return done ? exit_done : report(done.error()); }

}  // namespace

Verb cluster_verb(StopToken stop) {
  const auto flags = std::make_shared<ClusterFlags>();  // shared by the children
  const auto common = [flags](Flags& f) {
    f.path("--dir", flags->directory, "the cluster's folder (default: cluster in the configuration directory)");
    f.toggle("--json", flags->json, "one JSON document");
  };
  return {
      .name = "cluster",
      .summary = "the machines that trust each other: make, invite, list, remove",
      .children = {
          {.name = "init",
           .summary = "make a cluster and its authority on this machine; never overwrites",
           .example = "hearth cluster init --name studio --address studio.local:7070",
           .declare =
               [flags, common](Flags& f) {
                 common(f);
                 f.text("--name", flags->machine, "this machine's name (default: made of its host name)");
                 f.text("--cluster", flags->cluster, "the cluster's name, for people");
                 f.text("--address", flags->address, "HOST:PORT where other machines reach this one");
               },
           .run = [flags] { return exit_code(init(*flags)); }},
          {.name = "invite",
           .summary = "print a code with which one machine may join, once",
           .example = "hearth cluster invite --for spark-1 --minutes 10",
           .declare =
               [flags, common](Flags& f) {
                 common(f);
                 f.text("--for", flags->machine, "the name of the machine that may join (default: any)");
                 f.count("--minutes", flags->minutes, "how long the code is good");
                 f.text("--address", flags->address,
                        "HOST:PORT where the joining machine reaches this one (default: that of init)");
               },
           .run = [flags] { return exit_code(invite(*flags)); }},
          {.name = "ls",
           .summary = "members, removed machines, open invites",
           .example = "hearth cluster ls --json",
           .declare = common,
           .run = [flags] { return exit_code(list(*flags)); }},
          {.name = "remove",
           .summary = "revoke a machine's certificates and tell the others",
           .example = "hearth cluster remove laptop",
           .declare =
               [flags, common](Flags& f) {
                 common(f);
                 f.text("name", flags->machine, "the machine to remove");
                 f.required();
               },
           .run = [flags, stop] { return exit_code(remove(*flags, stop)); }},
          decisions_verb(stop),
          parity_verb(stop),
          prefill_policy_verb(stop)}};
}

}  // namespace hearth::cli
