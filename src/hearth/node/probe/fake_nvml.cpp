// A library with NVML's names, for energy_meter_test: three devices, of which the second does not count its energy.
// Every reading of the first finds one joule more.
#include <cstdio>

namespace {
int devices[3] = {0, 1, 2};
unsigned long long first_millijoules = 5'000;
bool is_begun = false;
}  // namespace

extern "C" {
int nvmlInit_v2() {
  is_begun = true;
  return 0;
}
int nvmlShutdown() { return 0; }
int nvmlDeviceGetCount_v2(unsigned int* count) {
  *count = 3;
  return is_begun ? 0 : 1;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void** device) {
  *device = &devices[index];
  return 0;
}
int nvmlDeviceGetName(void* device, char* name, unsigned int length) {
  std::snprintf(name, length, "NVIDIA test %d", *static_cast<int*>(device));
  return 0;
}
int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
  if (*static_cast<int*>(device) == 1) return 3;  // NVML_ERROR_NOT_SUPPORTED
  *millijoules = *static_cast<int*>(device) == 0 ? first_millijoules += 1'000 : 7'000;
  return 0;
}
}
