#include <cstddef>
#include <cstdint>

#include "hearth/check/apple_facts.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  hearth::check::MachineFacts facts;
  hearth::check::read_sysctl(text, facts);
  hearth::check::read_vm_stat(text, facts);
  hearth::check::read_pmset(text, facts);
  hearth::check::read_power_source(text, facts);
  hearth::check::read_ifconfig(text, facts);
  return 0;
}
