#include "hearth/node/probe/energy_meter.h"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <memory>
#include <system_error>
#include <utility>

namespace hearth::node {
namespace {

namespace fs = std::filesystem;

template <class Value>
std::optional<Value> read_value(const fs::path& file) {
  std::ifstream in(file);
  Value value{};
  return in >> value ? std::optional(std::move(value)) : std::nullopt;
}

std::optional<double> read_microjoules(const fs::path& file) {
  const auto value = read_value<double>(file);
  return value ? std::optional(*value / 1e6) : std::nullopt;
}

// By package. Others lie within one or, as psys does, around all; intel-rapl-mmio counts the same once more, and so do, on
// some processors of AMD, the further dies of a package ("package-0-die-1").
std::map<std::string, fs::path> package_folders(const fs::path& powercap) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (fs::directory_iterator at(powercap, error), end; !error && at != end; at.increment(error)) {
    if (at->path().filename().string().starts_with("intel-rapl:")) folders.push_back(at->path());
  }
  std::ranges::sort(folders);
  std::map<std::string, fs::path> out;
  for (const fs::path& folder : folders) {
    const auto name = read_value<std::string>(folder / "name");
    if (name && name->starts_with("package")) out.emplace(name->substr(0, name->find("-die-")), folder);
  }
  return out;
}

// NVML's C interface (NVML API Reference), as much as is needed. Every call returns 0 when it worked.
class Nvml {
 public:
  using Device = void*;

  // nullptr: not on this machine.
  static std::shared_ptr<const Nvml> open(const std::string& library) {
    void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return nullptr;
    auto out = std::make_shared<Nvml>();
    out->library_ = {handle, ::dlclose};
    int (*begin)() = nullptr;
    const bool has_all = find(handle, "nvmlInit_v2", begin) && find(handle, "nvmlShutdown", out->end_) &&
                         find(handle, "nvmlDeviceGetCount_v2", out->count_) &&
                         find(handle, "nvmlDeviceGetHandleByIndex_v2", out->device_) &&
                         find(handle, "nvmlDeviceGetName", out->name_) &&
                         find(handle, "nvmlDeviceGetTotalEnergyConsumption", out->energy_);
    if (!has_all || begin() != 0) return nullptr;
    out->is_begun_ = true;
    return out;
  }
  ~Nvml() {
    if (is_begun_) end_();
  }

  std::vector<Device> devices() const {
    unsigned int count = 0;
    std::vector<Device> out;
    if (count_(&count) != 0) return out;
    for (unsigned int i = 0; i < count; ++i) {
      if (Device device = nullptr; device_(i, &device) == 0) out.push_back(device);
    }
    return out;
  }
  std::string name(Device device) const {
    std::array<char, 96> text{};  // NVML_DEVICE_NAME_V2_BUFFER_SIZE
    return name_(device, text.data(), static_cast<unsigned int>(text.size())) == 0 ? text.data() : "device";
  }
  std::optional<double> joules(Device device) const {
    unsigned long long millijoules = 0;
    return energy_(device, &millijoules) == 0 ? std::optional(static_cast<double>(millijoules) / 1e3) : std::nullopt;
  }

 private:
  template <class Function>
  static bool find(void* handle, const char* name, Function& out) {
    out = reinterpret_cast<Function>(::dlsym(handle, name));
    return out != nullptr;
  }

  std::unique_ptr<void, int (*)(void*)> library_{nullptr, ::dlclose};
  int (*end_)() = nullptr;
  int (*count_)(unsigned int*) = nullptr;
  int (*device_)(unsigned int, Device*) = nullptr;
  int (*name_)(Device, char*, unsigned int) = nullptr;
  int (*energy_)(Device, unsigned long long*) = nullptr;
  bool is_begun_ = false;
};

}  // namespace

EnergyMeter::EnergyMeter(const EnergySources& sources) {
  for (const auto& [name, folder] : package_folders(sources.powercap)) {
    add({.part = "processor " + name,
         .read = [file = folder / "energy_uj"] { return read_microjoules(file); },
         .wraps_at = read_microjoules(folder / "max_energy_range_uj").value_or(0)});
  }
  const auto nvml = Nvml::open(sources.nvml);
  if (!nvml) return;
  for (const Nvml::Device device : nvml->devices()) {
    add({.part = nvml->name(device), .read = [nvml, device] { return nvml->joules(device); }});
  }
}

// Only what may be read now.
void EnergyMeter::add(Counter counter) {
  const auto now = counter.read();
  if (!now) return;
  counter.last = *now;
  counters_.push_back(std::move(counter));
}

std::vector<std::string> EnergyMeter::parts() const {
  std::vector<std::string> out;
  for (const Counter& counter : counters_) out.push_back(counter.part);
  return out;
}

std::optional<double> EnergyMeter::joules() {
  if (counters_.empty()) return {};
  double sum = 0;
  for (Counter& counter : counters_) {
    const auto now = counter.read();
    if (!now) return {};
    const double since = *now - std::exchange(counter.last, *now);
    counter.total += since >= 0 ? since : since + counter.wraps_at;
    sum += counter.total;
  }
  return sum;
}

}  // namespace hearth::node
