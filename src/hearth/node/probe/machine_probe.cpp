#include "hearth/node/probe/machine_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <numeric>
#include <vector>
#include <span>
#include <thread>

#include "hearth/base/file.h"
#include "hearth/base/thread.h"

namespace hearth::node {
namespace {

constexpr double bytes_per_gb = 1e9;
constexpr std::size_t read_bytes = 8U << 20;
constexpr std::size_t block_bytes = 16U << 20;
constexpr std::size_t direct_alignment = 4096;
constexpr std::size_t host_name_bytes_max = 63;

double since(Instant begin) { return seconds(std::chrono::steady_clock::now() - begin); }

std::string host_key() {
  char host[256] = {};
  if (::gethostname(host, sizeof(host) - 1) != 0 || host[0] == '\0') return "this-machine";
  std::string out;
  for (const char* c = host; *c != '\0' && *c != '.' && out.size() < host_name_bytes_max; ++c) {
    const bool keeps = std::isalnum(static_cast<unsigned char>(*c)) != 0;
    out += keeps ? static_cast<char>(std::tolower(static_cast<unsigned char>(*c))) : '-';
  }
  return out;
}

// "MemAvailable:  1234 kB" of Linux; 0 elsewhere.
std::uint64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  std::uint64_t value = 0;
  while (file >> key >> value >> unit) {
    if (key == "MemAvailable:") return value * 1024;
  }
  return 0;
}

// Four sums, so that additions do not wait for each other.
std::uint64_t read_all(std::span<const std::uint64_t> words) {
  std::uint64_t sums[4] = {};
  for (std::size_t i = 0; i + 4 <= words.size(); i += 4) {
    for (std::size_t k = 0; k < 4; ++k) sums[k] += words[i + k];
  }
  return std::accumulate(std::begin(sums), std::end(sums), std::uint64_t{0});
}

double timed_pass_s(std::span<const std::uint64_t> words, std::uint32_t threads,
                    std::atomic<std::uint64_t>& sum) {
  const Instant begin = std::chrono::steady_clock::now();
  std::vector<Thread> readers;
  const std::size_t share = words.size() / threads;
  for (std::uint32_t i = 0; i < threads; ++i) {
    const auto part = words.subspan(i * share, share);
    // The sum is used, or the compiler leaves the reading out.
    readers.push_back(Thread("probe", [&sum, part] { sum += read_all(part); }));
  }
  for (Thread& reader : readers) reader.join();
  return since(begin);
}

FileDescriptor open_past_cache(const std::filesystem::path& path) {
#ifdef O_DIRECT
  return FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT));
#else
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() >= 0 && ::fcntl(file.get(), F_NOCACHE, 1) != 0) return {};
  return file;
#endif
}

}  // namespace

MachineFacts machine_facts() {
  MachineFacts facts;
  facts.name = host_key();
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_bytes = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_bytes > 0) {
    facts.memory_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
  }
  facts.available_bytes = available_memory();
  facts.threads = std::max(1U, std::thread::hardware_concurrency());
  return facts;
}

Result<Measured> measure_memory_bandwidth(const MachineFacts& facts, const BandwidthOptions& options,
                                          const StopToken& stop) {
  std::uint64_t bytes = options.bytes;
  if (facts.available_bytes > 0) bytes = std::min(bytes, facts.available_bytes / 4);
  Buffer buffer = TRY(Buffer::create(static_cast<std::size_t>(bytes)));
  std::memset(buffer.data(), 1, buffer.size());
  const std::span words(reinterpret_cast<const std::uint64_t*>(buffer.data()),
                        buffer.size() / sizeof(std::uint64_t));
  std::atomic<std::uint64_t> sum{0};
  std::vector<double> rates;
  for (std::uint32_t i = 0; i < options.repetitions; ++i) {
    if (stop.stop_requested()) return fail(Code::cancelled, "the probe was cancelled");
    rates.push_back(static_cast<double>(bytes) / timed_pass_s(words, facts.threads, sum) /
                    bytes_per_gb);
  }
  return summarise(std::move(rates));
}

Result<std::optional<Measured>> measure_storage(const std::filesystem::path& path,
                                                const StorageOptions& options,
                                                const StopToken& stop) {
  const FileDescriptor file = open_past_cache(path);
  if (file.get() < 0) return std::optional<Measured>();
  const std::unique_ptr<void, decltype(&std::free)> room(
      std::aligned_alloc(direct_alignment, read_bytes), &std::free);
  if (!room) return fail(Code::resource_exhausted, "no memory to read a file into");
  const Deadline deadline = Deadline::after(options.time_max);
  std::vector<double> rates;
  std::uint64_t offset = 0;
  Instant block_began = std::chrono::steady_clock::now();
  while (offset < options.bytes_max && !deadline.passed()) {
    if (stop.stop_requested()) return fail(Code::cancelled, "the probe was cancelled");
    const ssize_t count = ::pread(file.get(), room.get(), read_bytes, static_cast<off_t>(offset));
    if (count < static_cast<ssize_t>(read_bytes)) break;  // its end, or no direct reads here
    offset += static_cast<std::uint64_t>(count);
    if (offset % block_bytes != 0) continue;
    rates.push_back(static_cast<double>(block_bytes) / since(block_began) / bytes_per_gb);
    block_began = std::chrono::steady_clock::now();
  }
  if (rates.empty()) return std::optional<Measured>();
  return std::optional(summarise(std::move(rates)));
}

}  // namespace hearth::node
