#include "hearth/cli/cluster_status.h"

#include <fmt/format.h>

#include <algorithm>

#include "hearth/cli/table.h"

namespace hearth::cli {
namespace {

constexpr std::size_t decisions_shown = 10;

std::string text_of(const Json& object, std::string_view member) {
  return get_or<std::string>(object, member, "").value_or("");
}
bool is_set(const Json& object, std::string_view member) {
  return get_or<bool>(object, member, false).value_or(false);
}
std::string number_of(const Json& object, std::string_view member, const char* unit) {
  const auto value = find<double>(object, member).value_or(std::nullopt);
  return value ? fmt::format("{:.3g} {}", *value, unit) : "-";
}
std::string or_dash(std::string text) { return text.empty() ? "-" : std::move(text); }
// "-" where a machine of an earlier version does not tell it.
std::string bytes_of(const Json& object, std::string_view member) {
  const auto value = find<double>(object, member).value_or(std::nullopt);
  return value ? human_bytes(*value) : "-";
}
std::string count_text(const Json& object, std::string_view member) {
  const auto value = find<std::uint64_t>(object, member).value_or(std::nullopt);
  return value ? std::to_string(*value) : "-";
}
void copy(const Json& from, Json& to, std::initializer_list<std::string_view> members) {
  for (const std::string_view member : members) {
    if (const Json* value = from.find(member)) to.set(std::string(member), *value);
  }
}
// Members of `object` after the name of the machine that they are of.
Json of_machine(const std::string& machine, const Json& object) {
  Json out = Json::object({{"machine", machine}});
  for (const auto& [name, value] : object.as_object()) out.set(name, value);
  return out;
}

Json machine_json(const MachineAnswer& answer) {
  Json out = Json::object({{"name", answer.name}, {"address", answer.address},
                           {"reachable", answer.status.has_value()}, {"trouble", answer.trouble}});
  if (!answer.status) return out;
  if (const Json* own = answer.status->find("machine")) {
    copy(*own, out, {"coordinates", "backend", "engine", "engine_build", "devices"});
  }
  copy(*answer.status, out, {"memory", "lends", "assignment"});
  return out;
}

Json link_json(const std::string& machine, const Json& peer) {
  Json out = Json::object({{"from", machine}, {"to", text_of(peer, "name")}});
  copy(peer, out, {"usable", "why_not", "trouble", "round_trip_ms", "parity", "heard_s", "restarts"});
  if (const Json* rate = peer.find("link_mb_per_s")) out.set("mb_per_s", *rate);
  return out;
}

Json worker_json(const MachineAnswer& answer, const Json& worker) {
  Json out = Json::object({{"machine", answer.name}, {"model", text_of(*answer.status->find("machine"), "model")}});
  copy(worker, out, {"running", "restarts", "crashes", "stalled"});
  return out;
}

// An answer of its gateway, in the words of the other requests.
Json answer_json(const std::string& machine, const Json& answer) {
  Json out = Json::object({{"machine", machine}, {"kind", text_of(answer, "stage")}, {"for", ""}});
  if (const Json* tokens = answer.find("prompt_tokens")) out.set("tokens", *tokens);
  copy(answer, out, {"read_tokens", "seconds"});
  return out;
}

// What one machine says, spread over the lists.
void add(const MachineAnswer& answer, Json& workers, Json& links, Json& requests, Json& stores, Json& hand_offs) {
  const Json& status = *answer.status;
  if (const Json* worker = status.find("worker")) workers.push(worker_json(answer, *worker));
  if (const Json* pool = status.find("pool")) {
    Json one = worker_json(answer, *pool);
    one.set("pool", text_of(*pool, "name"));
    workers.push(std::move(one));
  }
  if (const Json* peers = status.find("peers")) {
    for (const Json& peer : peers->as_array()) links.push(link_json(answer.name, peer));
  }
  if (const Json* running = status.find("requests")) {
    for (const Json& request : running->as_array()) {
      Json one = Json::object({{"machine", answer.name}, {"kind", text_of(request, "kind")},
                               {"for", text_of(request, "machine")}});
      copy(request, one, {"tokens", "seconds"});
      requests.push(std::move(one));
    }
  }
  if (const Json* answers = status.find("answers")) {
    for (const Json& one : answers->as_array()) requests.push(answer_json(answer.name, one));
  }
  if (const Json* store = status.find("store")) stores.push(of_machine(answer.name, *store));
  if (const Json* counts = status.find("hand_offs")) hand_offs.push(of_machine(answer.name, *counts));
}

std::string doing(const Json& machine) {
  if (!is_set(machine, "reachable")) return "does not answer: " + text_of(machine, "trouble");
  std::string out = is_set(machine, "coordinates") ? "answers requests" : "";
  if (const Json* lends = machine.find("lends")) {
    const std::string user = text_of(*lends, "used_by");
    out += std::string(out.empty() ? "" : "; ") +
           "lends its memory: " + (user.empty() ? "nobody uses it now" : "to " + user);
  }
  if (const Json* assignment = machine.find("assignment")) {
    const std::string trouble = text_of(*assignment, "trouble");
    const bool none = text_of(*assignment, "digest").empty();
    if (none || !trouble.empty()) {
      out += std::string(out.empty() ? "" : "; ") +
             (none ? "managed, nothing assigned yet" : "cannot do what it was assigned: " + trouble);
    }
  }
  return out.empty() ? "prefills for others" : out;
}

std::string link_state(const Json& link) {
  if (is_set(link, "usable")) return "yes";
  const std::string why = text_of(link, "why_not");
  return why.empty() ? "not tried yet" : why;
}

std::string parity_text(const Json& link) {
  const Json* parity = link.find("parity");
  if (parity == nullptr) return "-";
  return is_set(*parity, "exact") ? "exact" : "KL " + number_of(*parity, "kl", "");
}

// "12.3 GB of 64.0 GB".
std::string memory_text(const Json& machine) {
  const Json* memory = machine.find("memory");
  if (memory == nullptr) return "-";
  const std::string total = bytes_of(*memory, "total_bytes");
  return memory->find("available_bytes") == nullptr ? total
                                                    : bytes_of(*memory, "available_bytes") + " of " + total;
}

std::string engine_text(const Json& machine) {
  const std::string version = text_of(machine, "engine"), build = text_of(machine, "engine_build");
  return or_dash(build.empty() ? version : version + " (" + build + ")");
}

std::string machines_text(const Json& status) {
  Table table({"machine", "address", "backend", "engine", ">memory free", "what"});
  for (const Json& machine : status.find("machines")->as_array()) {
    table.add({text_of(machine, "name"), text_of(machine, "address"), or_dash(text_of(machine, "backend")),
               engine_text(machine), memory_text(machine), doing(machine)});
  }
  return table.text();
}

std::string devices_text(const Json& status) {
  Table table({"device on", "name", "kind", ">memory", ">free at start", ">layers"});
  bool has_any = false;
  for (const Json& machine : status.find("machines")->as_array()) {
    const Json* devices = machine.find("devices");
    if (devices == nullptr) continue;
    for (const Json& device : devices->as_array()) {
      has_any = true;
      table.add({text_of(machine, "name"), text_of(device, "name"), or_dash(text_of(device, "kind")),
                 bytes_of(device, "memory_bytes"), bytes_of(device, "free_bytes"), count_text(device, "layers")});
    }
  }
  return has_any ? "\n" + table.text() : "";
}

std::string worker_state(const Json& worker) {
  if (const Json* stall = worker.find("stalled")) return "stalled: " + text_of(*stall, "message");
  return is_set(worker, "running") ? "running" : "down";
}

std::string workers_text(const Json& status) {
  const auto& workers = status.find("workers")->as_array();
  if (workers.empty()) return "";
  Table table({"worker on", "model", "state", ">restarts", ">store on disk", ">in memory", ">disk free"});
  for (const Json& worker : workers) {
    const std::string machine = text_of(worker, "machine"), pool = text_of(worker, "pool");
    const auto& stores = status.find("stores")->as_array();
    const auto store =
        std::ranges::find_if(stores, [&](const Json& one) { return text_of(one, "machine") == machine; });
    const bool has_store = store != stores.end() && pool.empty();
    const auto bytes = [&](std::string_view member) { return has_store ? bytes_of(*store, member) : "-"; };
    table.add({machine, text_of(worker, "model") + (pool.empty() ? "" : ", " + pool), worker_state(worker),
               std::to_string(get_or<std::uint64_t>(worker, "restarts", 0).value_or(0)), bytes("disk_bytes"),
               bytes("memory_bytes"), bytes("disk_free_bytes")});
  }
  return "\n" + table.text();
}

std::string links_text(const Json& status) {
  const auto& links = status.find("links")->as_array();
  if (links.empty()) return "";
  Table table({"link", "prefills", ">round trip", ">rate", "parity", "trouble"});
  for (const Json& link : links) {
    table.add({text_of(link, "to") + " for " + text_of(link, "from"), link_state(link),
               number_of(link, "round_trip_ms", "ms"), number_of(link, "mb_per_s", "MB/s"), parity_text(link),
               text_of(link, "trouble")});
  }
  return "\n" + table.text();
}

std::string requests_text(const Json& status) {
  const auto& requests = status.find("requests")->as_array();
  if (requests.empty()) return "";
  Table table({"request on", "what", ">prompt", ">read", ">since"});
  for (const Json& request : requests) {
    const std::string other = text_of(request, "for");
    table.add({text_of(request, "machine"), text_of(request, "kind") + (other.empty() ? "" : " " + other),
               count_text(request, "tokens"), count_text(request, "read_tokens"), number_of(request, "seconds", "s")});
  }
  return "\n" + table.text();
}

}  // namespace

Json cluster_status(std::span<const MachineAnswer> answers) {
  Json machines = Json::array(), workers = Json::array(), links = Json::array(), requests = Json::array();
  Json decisions = Json::array(), stores = Json::array(), hand_offs = Json::array();
  for (const MachineAnswer& answer : answers) {
    machines.push(machine_json(answer));
    if (answer.status) add(answer, workers, links, requests, stores, hand_offs);
    const Json* log = answer.decisions ? answer.decisions->find("decisions") : nullptr;
    if (log == nullptr) continue;
    const auto& all = log->as_array();
    const std::size_t skipped = all.size() - std::min(all.size(), decisions_shown);
    for (std::size_t i = skipped; i < all.size(); ++i) decisions.push(of_machine(answer.name, all[i]));
  }
  return Json::object({{"machines", std::move(machines)}, {"workers", std::move(workers)},
                       {"links", std::move(links)}, {"requests", std::move(requests)},
                       {"decisions", std::move(decisions)}, {"stores", std::move(stores)},
                       {"hand_offs", std::move(hand_offs)}});
}

std::string cluster_status_text(const Json& status) {
  std::string out = machines_text(status) + devices_text(status) + workers_text(status) + links_text(status) +
                    requests_text(status);
  const auto& decisions = status.find("decisions")->as_array();
  if (decisions.empty()) return out;
  const Json& last = decisions.back();
  return out + fmt::format("\nlast decision: {} ({}); hearth cluster decisions shows all\n", text_of(last, "chosen"),
                           text_of(last, "outcome"));
}

}  // namespace hearth::cli
