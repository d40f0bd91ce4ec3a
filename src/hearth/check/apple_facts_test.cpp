#include "hearth/check/apple_facts.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hearth::check {
namespace {

constexpr std::string_view sysctl_text =
    "hw.memsize: 549755813888\n"
    "iogpu.wired_limit_mb: 0\n"
    "vm.swapusage: total = 2048.00M  used = 1022.50M  free = 1025.50M  (encrypted)\n"
    "kern.maxfilesperproc: 184320\n";

constexpr std::string_view vm_stat_text =
    "Mach Virtual Memory Statistics: (page size of 16384 bytes)\n"
    "Pages free:                             1000000.\n"
    "Pages active:                           2000000.\n"
    "Pages inactive:                          500000.\n"
    "Pages speculative:                        10000.\n"
    "Pages wired down:                        300000.\n"
    "Pages purgeable:                           2000.\n";

constexpr std::string_view pmset_text =
    "System-wide power settings:\n"
    "Currently in use:\n"
    " standby              1\n"
    " Sleep On Power Button 1\n"
    " sleep                1 (sleep prevented by powerd, sharingd)\n"
    " displaysleep         10\n"
    " lowpowermode         0\n"
    " womp                 1\n";

constexpr std::string_view ifconfig_text =
    "lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 16384\n"
    "\tinet 127.0.0.1 netmask 0xff000000\n"
    "en0: flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu 9000\n"
    "\toptions=567<RXCSUM,TXCSUM,VLAN_MTU,TSO4,TSO6,AV,CHANNEL_IO>\n"
    "\tinet 10.0.0.2 netmask 0xffffff00 broadcast 10.0.0.255\n"
    "\tmedia: autoselect (10Gbase-T <full-duplex,flow-control>)\n"
    "\tstatus: active\n"
    "en1: flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n"
    "\tmedia: autoselect (1000baseT <full-duplex>)\n"
    "\tstatus: inactive\n"
    "utun3: flags=8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu 1380\n"
    "bridge0: flags=8863<UP,BROADCAST,SMART,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n"
    "\tmember: en2 flags=3<LEARNING,DISCOVER>\n"
    "\tmedia: <unknown type>\n"
    "\tstatus: active\n";

TEST(AppleFacts, MemoryLimitsAndSwapAreInSysctl) {
  MachineFacts facts;
  read_sysctl(sysctl_text, facts);
  EXPECT_EQ(facts.memory_bytes, 549'755'813'888U);
  EXPECT_EQ(facts.wired_limit_bytes, 0U);
  EXPECT_EQ(facts.swap_used_bytes, 1'072'168'960U);
  EXPECT_EQ(facts.open_files_max, 184'320U);
  read_sysctl("iogpu.wired_limit_mb: 114688\nkern.maxfilesperproc: 10240\nsysctl: unknown oid 'x.y'\n", facts);
  EXPECT_EQ(facts.wired_limit_bytes, 114'688ULL << 20);
  EXPECT_EQ(facts.open_files_max, 10'240U);
}

TEST(AppleFacts, AvailableIsWhatNobodyWouldMiss) {
  MachineFacts facts;
  read_vm_stat(vm_stat_text, facts);
  EXPECT_EQ(facts.available_bytes, 1'512'000ULL * 16'384);
}

TEST(AppleFacts, PowerModesOldAndNew) {
  struct Case {
    std::string_view text;
    std::optional<bool> saves;
  };
  const Case cases[] = {{pmset_text, false}, {" lowpowermode         1\n", true}, {" powermode            1\n", true},
                        {" powermode            2\n", false}, {" lowpowermode 0\n powermode 1\n", true}, {" womp 1\n", std::nullopt}, {"", std::nullopt}};
  for (const Case& one : cases) {
    MachineFacts facts;
    read_pmset(one.text, facts);
    EXPECT_EQ(facts.saves_power, one.saves) << one.text;
  }
  MachineFacts facts;
  read_pmset(pmset_text, facts);
  EXPECT_EQ(facts.sleeps_after_minutes, 1U);
}

TEST(AppleFacts, BatteryOrNot) {
  MachineFacts facts;
  read_power_source("Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t87%; discharging; 5:12 remaining present: true\n", facts);
  EXPECT_EQ(facts.on_battery, true);
  read_power_source("Now drawing from 'AC Power'\n", facts);
  EXPECT_EQ(facts.on_battery, false);
}

TEST(AppleFacts, LinksWithSpeedAndMtu) {
  MachineFacts facts;
  read_ifconfig(ifconfig_text, facts);
  ASSERT_EQ(facts.links.size(), 3U);
  EXPECT_EQ(facts.links[0].interface, "en0");
  EXPECT_TRUE(facts.links[0].is_up);
  EXPECT_EQ(facts.links[0].mbit_s, 10'000U);
  EXPECT_EQ(facts.links[0].mtu_bytes, 9'000U);
  EXPECT_FALSE(facts.links[1].is_up);
  EXPECT_EQ(facts.links[1].mbit_s, 1'000U);
  EXPECT_EQ(facts.links[2].interface, "bridge0");
  EXPECT_TRUE(facts.links[2].is_up);
  EXPECT_EQ(facts.links[2].mbit_s, 0U);
}

TEST(AppleFacts, NonsenseIsNothing) {
  MachineFacts facts;
  for (const std::string_view text : {"hw.memsize: many", "hw.memsize: -1", "vm.swapusage: used = ", "page size of x\nPages free: 3.", "en0", "\tmedia: x", ": mtu"}) {
    read_sysctl(text, facts);
    read_vm_stat(text, facts);
    read_pmset(text, facts);
    read_ifconfig(text, facts);
  }
  EXPECT_EQ(facts.memory_bytes, std::nullopt);
  EXPECT_EQ(facts.swap_used_bytes, std::nullopt);
  EXPECT_EQ(facts.available_bytes, std::nullopt);
  EXPECT_TRUE(facts.links.empty());
}

TEST(AppleFacts, AModelThatFillsTheGpusDefaultIsWarnedAbout) {
  MachineFacts facts;
  read_sysctl(sysctl_text, facts);
  const auto found = [&](std::uint64_t model_bytes) {
    const Findings all = machine_findings(facts, model_bytes);
    return std::ranges::find(all, "memory.wired_limit", &Finding::id) != all.end();
  };
  EXPECT_FALSE(found(340'000'000'000));
  EXPECT_TRUE(found(480'000'000'000));
}

}  // namespace
}  // namespace hearth::check
