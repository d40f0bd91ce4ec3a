#include "hearth/base/process_memory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#ifdef __APPLE__
#include <libproc.h>
#endif

namespace hearth {

std::uint64_t resident_bytes() { return resident_bytes_of(::getpid()); }

std::uint64_t resident_bytes_of(int pid) {
#ifdef __APPLE__
  proc_taskinfo info{};
  if (proc_pidinfo(pid, PROC_PIDTASKINFO, 0, &info, sizeof(info)) <= 0) return 0;
  return info.pti_resident_size;
#else
  // Second number of statm: resident pages (proc(5)).
  std::FILE* file = std::fopen(fmt::format("/proc/{}/statm", pid).c_str(), "re");
  if (file == nullptr) return 0;
  unsigned long long total = 0;
  unsigned long long resident = 0;
  const int read = std::fscanf(file, "%llu %llu", &total, &resident);
  std::fclose(file);
  return read == 2 ? resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) : 0;
#endif
}

}  // namespace hearth
