#include "hearth/node/probe/energy_meter.h"

#include <gtest/gtest.h>

#include <fstream>

#include "hearth/base/file.h"

namespace hearth::node {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& file, const std::string& text) { std::ofstream(file) << text << "\n"; }

// As Linux has them: a folder for each domain.
void make_domain(const fs::path& powercap, const std::string& folder, const std::string& name, const std::string& microjoules) {
  fs::create_directories(powercap / folder);
  write(powercap / folder / "name", name);
  write(powercap / folder / "energy_uj", microjoules);
  write(powercap / folder / "max_energy_range_uj", "262143328850");
}

class EnergyMeterTest : public ::testing::Test {
 protected:
  const TemporaryDirectory directory_ = TemporaryDirectory::create("energy").value();
  const fs::path powercap_ = directory_.path() / "powercap";
};

TEST_F(EnergyMeterTest, AddsUpThePackagesAndNothingThatLiesWithinOrAroundThem) {
  make_domain(powercap_, "intel-rapl:0", "package-0", "1000000");
  make_domain(powercap_, "intel-rapl:0:0", "core", "500000");
  make_domain(powercap_, "intel-rapl:1", "package-1", "9000000");
  make_domain(powercap_, "intel-rapl:2", "psys", "20000000");
  make_domain(powercap_, "intel-rapl-mmio:0", "package-0", "1000000");
  make_domain(powercap_, "intel-rapl:3", "package-1-die-1", "9000000");
  EnergyMeter meter({.powercap = powercap_, .nvml = "no-such-library.so"});
  EXPECT_EQ(meter.parts(), (std::vector<std::string>{"processor package-0", "processor package-1"}));
  EXPECT_EQ(meter.joules(), 0);
  write(powercap_ / "intel-rapl:0/energy_uj", "3500000");
  write(powercap_ / "intel-rapl:1/energy_uj", "10000000");
  EXPECT_EQ(meter.joules(), 3.5);
  EXPECT_EQ(meter.joules(), 3.5);
}

TEST_F(EnergyMeterTest, ACounterThatWrapsGoesOn) {
  make_domain(powercap_, "intel-rapl:0", "package-0", "262143000000");
  EnergyMeter meter({.powercap = powercap_, .nvml = "no-such-library.so"});
  write(powercap_ / "intel-rapl:0/energy_uj", "1671150");
  EXPECT_NEAR(meter.joules().value(), 2, 1e-6);
}

TEST_F(EnergyMeterTest, TellsNothingWhereNothingDoesOrAPartHasCeased) {
  EnergyMeter none({.powercap = powercap_, .nvml = "no-such-library.so"});
  EXPECT_TRUE(none.parts().empty());
  EXPECT_EQ(none.joules(), std::nullopt);
  make_domain(powercap_, "intel-rapl:0", "package-0", "1000000");
  EnergyMeter meter({.powercap = powercap_, .nvml = "no-such-library.so"});
  fs::remove(powercap_ / "intel-rapl:0/energy_uj");
  EXPECT_EQ(meter.joules(), std::nullopt);
  EXPECT_TRUE(EnergyMeter({.powercap = powercap_, .nvml = "no-such-library.so"}).parts().empty());
}

TEST_F(EnergyMeterTest, NvidiaDevicesCountForThemselvesWhereTheyCan) {
  EnergyMeter meter({.powercap = powercap_, .nvml = HEARTH_FAKE_NVML});
  EXPECT_EQ(meter.parts(), (std::vector<std::string>{"NVIDIA test 0", "NVIDIA test 2"}));
  EXPECT_EQ(meter.joules(), 1);
  EXPECT_EQ(meter.joules(), 2);
}

TEST_F(EnergyMeterTest, ALibraryWithOtherNamesIsPassedOver) {
  EXPECT_TRUE(EnergyMeter({.powercap = powercap_, .nvml = "libm.so.6"}).parts().empty());
}

}  // namespace
}  // namespace hearth::node
