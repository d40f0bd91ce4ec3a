#include "hearth/cli/assignment_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "hearth/base/toml.h"

namespace hearth::cli {
namespace {

constexpr std::array machine_keys = {"name", "model", "lend", "prefills", "threads", "device", "ubatch"};
constexpr std::array link_keys = {"ends", "mb_per_s"};
// What one machine may tell another to do: compute, nothing that opens, reads or writes elsewhere.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> assignable = {{
    {"serve", "model"}, {"worker", "context"}, {"worker", "sequences"}, {"worker", "chunk_tokens"},
    {"worker", "ubatch"}, {"worker", "kv_type"}, {"worker", "threads"}, {"worker", "device"},
    {"cluster", "prefills"}, {"cluster", "lend"}}};

// One [[machine]] or [[link]]: typed values, and every fault with its place.
class Entry {
 public:
  Entry(const Json& table, std::string_view file, std::string_view kind, std::vector<std::string>& problems)
      : table_(table), file_(file), kind_(kind), problems_(problems) {}

  void problem(std::string_view key, std::string what) {
    const auto line = table_.find(key) == nullptr ? toml_line(table_) : toml_line(table_, key);
    problems_.push_back(fmt::format("{}:{}: [[{}]] {}: {}", file_, line, kind_, key, what));
  }
  template <class Keys>
  void only(const Keys& keys) {
    for (const auto& [key, value] : table_.as_object()) {
      if (key == lines_member || std::ranges::find(keys, std::string_view(key)) != keys.end()) continue;
      problem(key, fmt::format("unknown; there are {}", fmt::join(keys, ", ")));
    }
  }
  std::string text(std::string_view key, std::string fallback) {
    const Json* value = table_.find(key);
    if (value == nullptr) return fallback;
    if (!value->is_string()) problem(key, "expected a text in quotes");
    return value->is_string() ? value->as_string() : fallback;
  }
  std::uint32_t count(std::string_view key, std::uint32_t fallback, std::int64_t highest) {
    const Json* value = table_.find(key);
    if (value == nullptr) return fallback;
    const bool right = value->is_integer() && value->as_integer() >= 0 && value->as_integer() <= highest;
    if (!right) problem(key, fmt::format("expected a whole number of 0 to {}", highest));
    return right ? static_cast<std::uint32_t>(value->as_integer()) : fallback;
  }
  bool toggle(std::string_view key) {
    const Json* value = table_.find(key);
    if (value == nullptr) return false;
    if (!value->is_bool()) problem(key, "expected true or false");
    return value->is_bool() && value->as_bool();
  }
  const Json* find(std::string_view key) const { return table_.find(key); }

 private:
  const Json& table_;
  std::string_view file_, kind_;
  std::vector<std::string>& problems_;
};

std::string toml_string(std::string_view text) { return dump_json(Json(text)); }  // right in TOML too

MachineAssignment read_machine(Entry& entry, const Json* models, const ServeConfig& config) {
  entry.only(machine_keys);
  MachineAssignment out{.name = entry.text("name", "")};
  if (out.name.empty()) entry.problem("name", "missing; as in hearth cluster ls, for example \"spark-1\"");
  std::string model = entry.text("model", "");
  if (const Json* path = models == nullptr ? nullptr : models->find(model); path != nullptr && path->is_string()) {
    model = path->as_string();
  }
  out.lends = entry.toggle("lend");
  out.has_model = !model.empty();
  if (!out.has_model && !out.lends) entry.problem("model", "missing; name one, or lend = true");
  if (out.has_model && !model.starts_with('/')) {
    entry.problem("model", fmt::format("\"{}\" is neither in [models] nor an absolute path", model));
  }
  const std::string device = entry.text("device", config.device);
  const std::uint32_t threads = entry.count("threads", config.threads, 1024);
  const std::uint32_t ubatch = entry.count("ubatch", config.ubatch_tokens, 65536);
  const std::uint32_t prefills = entry.count("prefills", config.prefills_max, 64);
  if (out.has_model) out.toml += fmt::format("[serve]\nmodel = {}\n", toml_string(model));
  out.toml += fmt::format(
      "[worker]\ncontext = {}\nsequences = {}\nchunk_tokens = {}\nubatch = {}\nkv_type = {}\nthreads = {}\n"
      "device = {}\n[cluster]\nprefills = {}\nlend = {}\n",
      config.context_tokens, config.sequences, config.chunk_tokens, ubatch, toml_string(config.kv_type), threads,
      toml_string(device), prefills, out.lends);
  return out;
}

LinkWish read_link(Entry& entry) {
  entry.only(link_keys);
  LinkWish out;
  const Json* ends = entry.find("ends");
  const bool are_two = ends != nullptr && ends->is_array() && ends->as_array().size() == 2 &&
                       std::ranges::all_of(ends->as_array(), &Json::is_string);
  if (!are_two) {
    entry.problem("ends", "expected two machines like [\"studio\", \"spark-1\"]");
    return out;
  }
  out.a = ends->as_array()[0].as_string();
  out.b = ends->as_array()[1].as_string();
  const Json* rate = entry.find("mb_per_s");
  if (rate == nullptr || !rate->is_number() || rate->as_double() <= 0) {
    entry.problem("mb_per_s", "expected the least rate in MB/s, for example 900");
  } else {
    out.mb_per_s = rate->as_double();
  }
  return out;
}

template <class Read>
void for_each_entry(const Json& root, std::string_view kind, std::string_view file,
                    std::vector<std::string>& problems, const Read& read) {
  const Json* entries = root.find(kind);
  if (entries == nullptr) return;
  if (!entries->is_array() || !std::ranges::all_of(entries->as_array(), &Json::is_object)) {
    problems.push_back(fmt::format("{}:{}: {}: expected [[{}]]", file, toml_line(root, kind), kind, kind));
    return;
  }
  for (const Json& table : entries->as_array()) {
    Entry entry(table, file, kind, problems);
    read(entry);
  }
}

}  // namespace

Result<ClusterWish> read_cluster_wish(std::string_view toml, std::string_view name, const ServeConfig& config) {
  const Json root = TRY(parse_toml(toml, name));
  std::vector<std::string> problems;
  ClusterWish out;
  for_each_entry(root, "machine", name, problems, [&](Entry& entry) {
    auto machine = read_machine(entry, root.find("models"), config);
    if (std::ranges::find(out.machines, machine.name, &MachineAssignment::name) != out.machines.end()) {
      entry.problem("name", fmt::format("'{}' is there twice", machine.name));
    }
    out.machines.push_back(std::move(machine));
  });
  for_each_entry(root, "link", name, problems, [&](Entry& entry) { out.links.push_back(read_link(entry)); });
  if (problems.empty() && out.machines.empty()) {
    problems.push_back(fmt::format("{}: no machine; for example\n  [[machine]]\n  name = \"spark-1\"\n"
                                   "  model = \"/models/kimi.gguf\"", name));
  }
  if (problems.empty()) return out;
  return fail(Code::invalid_argument, fmt::format("{}", fmt::join(problems, "\n")));
}

Result<> read_assignment(std::string_view toml, ServeConfig& config) {
  const Json root = TRY(parse_toml(toml, "assignment"));
  for (const auto& [section, table] : root.as_object()) {
    if (section == lines_member) continue;
    if (!table.is_object()) {
      return fail(Code::permission, fmt::format("assignment: '{}' is this machine's own to set", section));
    }
    for (const auto& [key, value] : table.as_object()) {
      if (key == lines_member) continue;
      const std::pair<std::string_view, std::string_view> wanted(section, key);
      if (std::ranges::find(assignable, wanted) == assignable.end()) {
        return fail(Code::permission, fmt::format("assignment: [{}] {} is this machine's own to set", section, key));
      }
    }
  }
  config.model.clear();
  config.lend = false;
  return read_serve_config(toml, "assignment", config);
}

}  // namespace hearth::cli
