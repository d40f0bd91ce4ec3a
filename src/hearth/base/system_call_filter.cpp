#ifdef __linux__
#include "hearth/base/system_call_filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <cerrno>

namespace hearth {
namespace {

#if defined(__x86_64__)
constexpr unsigned architecture = AUDIT_ARCH_X86_64;
constexpr unsigned foreign_calls_from = 0x40000000;  // x32
#elif defined(__aarch64__)
constexpr unsigned architecture = AUDIT_ARCH_AARCH64;
constexpr unsigned foreign_calls_from = 0xFFFFFFFF;
#else
constexpr unsigned architecture = 0;
constexpr unsigned foreign_calls_from = 0xFFFFFFFF;
#endif

constexpr unsigned allow = SECCOMP_RET_ALLOW, kill = SECCOMP_RET_KILL_PROCESS;

constexpr std::uint32_t error_of(int number) { return SECCOMP_RET_ERRNO | (static_cast<std::uint32_t>(number) & SECCOMP_RET_DATA); }

// Its low half: little endian.
constexpr std::uint32_t offset_of_argument(unsigned index) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + index * sizeof(std::uint64_t));
}

}  // namespace

SystemCallFilter::SystemCallFilter() {
  static_assert(sizeof(Instruction) == sizeof(sock_filter));
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
  add(BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0);
  add(BPF_RET | BPF_K, kill);
  add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  add(BPF_JMP | BPF_JGE | BPF_K, foreign_calls_from, 0, 1);
  add(BPF_RET | BPF_K, kill);
}

void SystemCallFilter::refuse(unsigned number, int error_number) {
  add(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
  add(BPF_RET | BPF_K, error_of(error_number));
}

void SystemCallFilter::refuse_if(unsigned number, Argument argument, std::initializer_list<std::uint32_t> values, int error_number) {
  on_argument(number, argument, values, error_of(error_number), allow);
}

void SystemCallFilter::refuse_unless(unsigned number, Argument argument, std::initializer_list<std::uint32_t> values, int error_number) {
  on_argument(number, argument, values, allow, error_of(error_number));
}

// Every way through it ends in a verdict: the number is not loaded any more.
void SystemCallFilter::on_argument(unsigned number, Argument argument, std::initializer_list<std::uint32_t> values, std::uint32_t among,
                                   std::uint32_t otherwise) {
  const std::size_t length = 2 + 2 * values.size() + 1;
  add(BPF_JMP | BPF_JEQ | BPF_K, number, 0, static_cast<std::uint8_t>(length));
  add(BPF_LD | BPF_W | BPF_ABS, offset_of_argument(argument.index));
  add(BPF_ALU | BPF_AND | BPF_K, argument.mask);
  for (const std::uint32_t value : values) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    add(BPF_RET | BPF_K, among);
  }
  add(BPF_RET | BPF_K, otherwise);
}

bool SystemCallFilter::install() {
  add(BPF_RET | BPF_K, allow);
  if (architecture == 0 || count_ > code_.size()) {
    errno = architecture == 0 ? ENOSYS : E2BIG;
    return false;
  }
  sock_fprog program{static_cast<unsigned short>(count_), reinterpret_cast<sock_filter*>(code_.data())};
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

void SystemCallFilter::add(unsigned code, std::uint32_t value, std::uint8_t if_true, std::uint8_t if_false) {
  if (count_ < code_.size()) code_[count_] = {static_cast<std::uint16_t>(code), if_true, if_false, value};
  ++count_;
}

}  // namespace hearth
#endif
