// hearth up: brings the machines of the cluster to what one hearth.toml says.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "hearth/base/file.h"
#include "hearth/cli/assignment_text.h"
#include "hearth/cli/cluster_client.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/progress.h"
#include "hearth/cli/table.h"
#include "hearth/cli/verbs.h"
#include "hearth/node/agent/assignment.h"

namespace hearth::cli {
namespace {

constexpr Duration ask_time_max = std::chrono::seconds(5);
constexpr Duration reach_time_max = std::chrono::seconds(10);
constexpr Duration look_interval = std::chrono::milliseconds(500);
constexpr std::uint64_t config_bytes_max = 1u << 20;

struct UpFlags {
  std::filesystem::path directory, file;
  std::uint32_t wait_s = 1800;  // a model of hundreds of gigabytes is read from disk meanwhile
  bool only_look = false;
  bool json = false;
};

struct Outcome {
  std::string machine, did;
  bool is_ready = false;
  std::string why{};  // not ready
};
struct LinkOutcome {
  LinkWish wish;
  std::optional<double> mb_per_s{};
  bool is_right() const { return mb_per_s && *mb_per_s >= wish.mb_per_s; }
};

std::string text_of(const Json* object, std::string_view member) {
  return object == nullptr ? "" : get_or<std::string>(*object, member, "").value_or("");
}
bool is_set(const Json* object, std::string_view member) {
  return object != nullptr && get_or<bool>(*object, member, false).value_or(false);
}

Result<std::filesystem::path> file_of(const UpFlags& flags) {
  if (!flags.file.empty()) return flags.file;
  return TRY(config_directory()) / "hearth.toml";
}

// Nothing: it does what it was assigned. Otherwise what is missing, and whether waiting may help.
struct Missing {
  std::string why;
  bool may_come = false;
};
std::optional<Missing> missing(const MachineAssignment& wanted, const Json& status) {
  const Json* assignment = status.find("assignment");
  if (assignment == nullptr) return Missing{"it is not managed; start it with hearth node --managed"};
  if (text_of(assignment, "digest") != node::assignment_digest(wanted.toml)) {
    return Missing{"it runs something else", true};
  }
  if (const std::string trouble = text_of(assignment, "trouble"); !trouble.empty()) return Missing{trouble};
  if (wanted.has_model && !is_set(status.find("worker"), "running")) {
    return Missing{"its worker is not running yet", true};
  }
  if (wanted.lends && status.find("lends") == nullptr) return Missing{"it does not lend its memory yet", true};
  return std::nullopt;
}

class Upbringing {
 public:
  Upbringing(const ClusterClient& client, const UpFlags& flags, const StopToken& stop)
      : client_(client), flags_(flags), stop_(stop), deadline_(Deadline::after(std::chrono::seconds(flags.wait_s))) {}

  Outcome bring(const MachineAssignment& wanted) {
    Outcome out{.machine = wanted.name, .did = "nothing"};
    const auto status = reach(wanted.name);
    if (!status) {
      out.why = status.error().message + "; is hearth node --managed running there?";
      return out;
    }
    auto lacks = missing(wanted, *status);
    if (lacks && lacks->may_come && !flags_.only_look && is_new(wanted, *status)) {
      const auto told = client_.ask(wanted.name, "PUT", std::string(node::assignment_path), wanted.toml,
                                    node::assignment_type, ask_time_max, stop_);
      if (!told) {
        out.why = told.error().message;
        return out;
      }
      out.did = "assigned";
    }
    if (lacks && lacks->may_come && !flags_.only_look) lacks = wait(wanted);
    out.is_ready = !lacks;
    if (lacks) out.why = lacks->why;
    return out;
  }

 private:
  // An agent that begins anew at this moment does not answer for a second or two.
  Result<Json> reach(const std::string& machine) {
    const Deadline give_up = Deadline::after(reach_time_max);
    for (;;) {
      auto status = client_.get(machine, "/v1/status", ask_time_max, stop_);
      if (status || give_up.passed() || stopped_while_waiting(stop_, Deadline::after(look_interval))) return status;
    }
  }
  static bool is_new(const MachineAssignment& wanted, const Json& status) {
    return text_of(status.find("assignment"), "digest") != node::assignment_digest(wanted.toml);
  }

  // Its agent begins anew and is not there while the model is loaded.
  std::optional<Missing> wait(const MachineAssignment& wanted) {
    std::optional<Missing> lacks = Missing{"it did not begin in time", true};
    while (!stop_.stop_requested() && !deadline_.passed()) {
      progress_.update("waiting for " + wanted.name, 0);
      if (const auto status = client_.get(wanted.name, "/v1/status", ask_time_max, stop_)) {
        lacks = missing(wanted, *status);
        if (!lacks || !lacks->may_come) break;
      }
      (void)stopped_while_waiting(stop_, Deadline::after(look_interval));
    }
    progress_.clear();
    return lacks;
  }

  const ClusterClient& client_;
  const UpFlags& flags_;
  const StopToken stop_;
  const Deadline deadline_;
  Progress progress_;
};

// What whoever coordinates has measured between the two.
std::optional<double> measured_rate(const ClusterClient& client, const LinkWish& wish, const StopToken& stop) {
  for (const auto& [from, to] : {std::pair(wish.a, wish.b), std::pair(wish.b, wish.a)}) {
    const auto status = client.get(from, "/v1/status", ask_time_max, stop);
    const Json* peers = status ? status->find("peers") : nullptr;
    if (peers == nullptr) continue;
    for (const Json& peer : peers->as_array()) {
      if (text_of(&peer, "name") != to) continue;
      if (const auto rate = find<double>(peer, "link_mb_per_s").value_or(std::nullopt)) return rate;
    }
  }
  return std::nullopt;
}

Json to_json(const std::vector<Outcome>& machines, const std::vector<LinkOutcome>& links, bool ok) {
  Json machine_list = Json::array(), link_list = Json::array();
  for (const Outcome& one : machines) {
    machine_list.push(
        Json::object({{"name", one.machine}, {"did", one.did}, {"ready", one.is_ready}, {"why", one.why}}));
  }
  for (const LinkOutcome& one : links) {
    link_list.push(Json::object({{"ends", Json::array({one.wish.a, one.wish.b})},
                                 {"wanted_mb_per_s", one.wish.mb_per_s},
                                 {"mb_per_s", one.mb_per_s ? Json(*one.mb_per_s) : Json(nullptr)},
                                 {"ok", one.is_right()}}));
  }
  return Json::object({{"machines", std::move(machine_list)}, {"links", std::move(link_list)}, {"ok", ok}});
}

std::string to_text(const std::vector<Outcome>& machines, const std::vector<LinkOutcome>& links) {
  Table table({"machine", "done", "ready", "why not"});
  for (const Outcome& one : machines) table.add({one.machine, one.did, one.is_ready ? "yes" : "no", one.why});
  std::string out = table.text();
  for (const LinkOutcome& one : links) {
    if (one.is_right()) continue;
    out += fmt::format("link {} – {}: {}, at least {:.0f} MB/s were expected\n", one.wish.a, one.wish.b,
                       one.mb_per_s ? fmt::format("{:.0f} MB/s", *one.mb_per_s) : "nothing measured yet",
                       one.wish.mb_per_s);
  }
  return out;
}

Result<bool> up(const UpFlags& flags, const StopToken& stop) {
  const auto file = TRY(file_of(flags));
  const std::string toml = TRY(read_text_file(file, config_bytes_max));
  ServeConfig config;
  TRY(read_serve_config(toml, file.string(), config));
  const ClusterWish wish = TRY(read_cluster_wish(toml, file.string(), config));
  const auto client = TRY(ClusterClient::open(flags.directory));
  Upbringing upbringing(client, flags, stop);
  std::vector<Outcome> machines;
  for (const MachineAssignment& machine : wish.machines) machines.push_back(upbringing.bring(machine));
  std::vector<LinkOutcome> links;
  for (const LinkWish& link : wish.links) links.push_back({link, measured_rate(client, link, stop)});
  const bool ok =
      std::ranges::all_of(machines, &Outcome::is_ready) && std::ranges::all_of(links, &LinkOutcome::is_right);
  std::fputs(
      (flags.json ? dump_json(to_json(machines, links, ok), 2) + "\n" : to_text(machines, links)).c_str(),
      stdout);
  return ok;
}

}  // namespace

Verb up_verb(StopToken stop) {
  const auto flags = std::make_shared<UpFlags>();
  return {.name = "up",
          .summary = "bring the machines of the cluster to what hearth.toml says",
          .example = "hearth up --file hearth.toml",
          .declare =
              [flags](Flags& f) {
                f.path("--file,-f", flags->file,
                       "what each machine runs (default: hearth.toml in the configuration directory)");
                f.path("--dir", flags->directory,
                       "the cluster's folder (default: cluster in the configuration directory)");
                f.count("--wait", flags->wait_s, "seconds to wait until all run what they were assigned");
                f.toggle("--look", flags->only_look, "only tell what differs; change nothing");
                f.toggle("--json", flags->json, "one JSON document");
              },
          .run = [flags, stop]() -> int {
            const auto done = up(*flags, stop);
            if (!done) return report(done.error());
            return *done ? exit_done : exit_no;
          },
          .children = {}};
}

}  // namespace hearth::cli
