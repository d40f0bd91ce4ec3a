#pragma once
// Joules that this machine has used since the meter was opened, as far as its parts tell: processor packages by the
// counters of Linux's powercap (Intel's and AMD's RAPL; most systems let only root read them), NVIDIA devices by their
// own counter (nvmlDeviceGetTotalEnergyConsumption of NVML, Volta and later), whose library is loaded where there is one.
// Of a package with several counted dies the first. Not of macOS, which tells its superuser only; not of memory, disks and the power supply.
//
// One thread at a time. A package's counter wraps after some tens of kilojoules: one wrap between two readings is
// made up for, a second one is not seen.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace hearth::node {

struct EnergySources {
  std::filesystem::path powercap = "/sys/class/powercap";
  std::string nvml = "libnvidia-ml.so.1";
};

class EnergyMeter {
 public:
  explicit EnergyMeter(const EnergySources& sources = {});

  // "processor package-0", "NVIDIA GB10"; none: nothing on this machine tells.
  std::vector<std::string> parts() const;
  // Nothing: a part does not tell any more, or none ever did.
  std::optional<double> joules();

 private:
  struct Counter {
    std::string part;
    std::function<std::optional<double>()> read;  // joules since some moment
    double wraps_at = 0;                          // joules; 0: never
    double last = 0, total = 0;
  };
  void add(Counter counter);

  std::vector<Counter> counters_;
};

}  // namespace hearth::node
