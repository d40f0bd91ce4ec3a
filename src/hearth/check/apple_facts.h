#pragma once
// What macOS tells of its machine, read from the output of its own tools. Pure: the tools are run
// elsewhere, and only there. What a text does not say, or says in an unknown form, stays absent.

#include <string_view>

#include "hearth/check/machine_check.h"

namespace hearth::check {

// `sysctl hw.memsize iogpu.wired_limit_mb vm.swapusage kern.maxfilesperproc`: memory, wired limit, swap, open files.
void read_sysctl(std::string_view text, MachineFacts& out);
// `vm_stat`: what could be had without swapping.
void read_vm_stat(std::string_view text, MachineFacts& out);
// `pmset -g`: power mode, and after how long it sleeps.
void read_pmset(std::string_view text, MachineFacts& out);
// `pmset -g ps`: battery or not.
void read_power_source(std::string_view text, MachineFacts& out);
// `ifconfig -a`: links, those that were ever plugged in.
void read_ifconfig(std::string_view text, MachineFacts& out);

}  // namespace hearth::check
