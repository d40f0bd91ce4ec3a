#include "hearth/base/hardening.h"

#include <gtest/gtest.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "hearth/base/system_call_filter.h"

namespace hearth {
namespace {

// In a process of its own: what is given up does not come back.
template <class Act>
int exit_code_of(Act act) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(act());
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string status_line(std::string_view name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name)) return line.substr(line.find_first_not_of("\t ", name.size()));
  }
  return {};
}

TEST(Hardening, AHardenedProcessLeavesNoCoreAndCannotBeReadByOthers) {
  const int code = exit_code_of([] {
    rlimit core{};
    if (!harden_process()) return 1;
#ifndef __SANITIZE_ADDRESS__
    if (::prctl(PR_GET_DUMPABLE) != 0) return 3;
#endif
    return ::getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 ? 0 : 2;
  });
  EXPECT_EQ(code, 0);
}

TEST(Hardening, NoCapabilityIsLeftAndNoneComesBack) {
  EXPECT_EQ(exit_code_of([] {
    if (!give_up_capabilities()) return 1;
    for (const char* set : {"CapInh:", "CapPrm:", "CapEff:", "CapAmb:"}) {
      if (status_line(set) != "0000000000000000") return 2;
    }
    if (::geteuid() == 0 && status_line("CapBnd:") != "0000000000000000") return 3;
    return status_line("NoNewPrivs:") == "1" ? 0 : 4;
  }), 0);
}

TEST(SystemCallFilter, RefusesWhatItsRulesSayAndNothingElse) {
  EXPECT_EQ(exit_code_of([] {
    SystemCallFilter filter;
    filter.refuse_unless(__NR_socket, {}, {AF_INET, AF_INET6}, EAFNOSUPPORT);
    filter.refuse_unless(__NR_socketpair, {.index = 1, .mask = 0xF}, {SOCK_STREAM}, EPROTONOSUPPORT);
    filter.refuse_if(__NR_prctl, {}, {PR_SET_NAME}, EPERM);
    filter.refuse(__NR_syslog, ENOSYS);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !filter.install()) return 1;
    const auto refused = [](long result, int why) { return result < 0 && errno == why; };
    int pair[2];
    if (!refused(::socket(AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT)) return 2;
    if (::socket(AF_INET, SOCK_STREAM, 0) < 0 || ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0) return 3;
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return 4;
    if (!refused(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), EPROTONOSUPPORT)) return 5;
    if (!refused(::prctl(PR_SET_NAME, "name", 0, 0, 0), EPERM) || ::prctl(PR_GET_DUMPABLE) < 0) return 6;
    if (!refused(::syscall(__NR_syslog, 0, nullptr, 0), ENOSYS)) return 7;
    return 0;
  }), 0);
}

TEST(SystemCallFilter, TooManyRulesAreNotInstalledInPart) {
  EXPECT_EQ(exit_code_of([] {
    SystemCallFilter filter;
    for (unsigned number = 0; number < 200; ++number) filter.refuse(10'000 + number, EPERM);
    (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return !filter.install() && errno == E2BIG ? 0 : 1;
  }), 0);
}

}  // namespace
}  // namespace hearth
#endif
