#include "hearth/cli/sealed_child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <net/if.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "hearth/base/hardening.h"
#include "hearth/base/system_call_filter.h"
#include "hearth/cli/environment.h"
#include "hearth/cli/sealing_relay.h"
#include "hearth/net/http_server.h"
#include "hearth/net/relay.h"
#include "hearth/seal/client_profile.h"

namespace hearth::cli {
namespace {

constexpr std::size_t connections_max = 256;
constexpr Duration open_time_max = std::chrono::seconds(10);

net::OpenOtherEnd opener_to(net::Address address) {
  return [address = std::move(address)](std::unique_ptr<net::Stream> accepted, const StopToken& stop) -> Result<net::RelayEnds> {
    auto opened = TRY(net::connect_stream(address, Deadline::after(open_time_max), stop));
    return net::RelayEnds{std::move(accepted), std::move(opened), nullptr};
  };
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// The keyboard's signals are the client's: it is in the foreground with us. Ours are blocked for the
// thread that waits for them; they come to this one first, which does nothing.
void leave_keyboard_to_child() {
  struct sigaction nothing {};
  nothing.sa_handler = [](int) {};
  nothing.sa_flags = SA_RESTART;
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGQUIT}) {
    ::sigaction(number, &nothing, nullptr);
    sigaddset(&set, number);
  }
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

// As a shell starts a program: default actions, nothing blocked.
void reset_signals() {
  sigset_t nothing;
  sigemptyset(&nothing);
  for (const int number : {SIGINT, SIGQUIT, SIGPIPE, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &nothing, nullptr);
}

// Until it is reaped its number is nobody else's: whoever signals it has stopped by then.
Result<int> wait_for(pid_t pid, const StopToken& stop = {}) {
  {
    const StopCallback asked(stop, [pid] { ::kill(pid, SIGTERM); });
    siginfo_t ended{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &ended, WEXITED | WNOWAIT) < 0) {
      if (errno != EINTR) return fail(Code::internal, "the client cannot be waited for");
    }
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return fail(Code::internal, "the client cannot be waited for");
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#ifdef __linux__

// What the child of a fork says when it cannot go on: a step, and why.
struct Failure {
  int step = 0;
  int error_number = 0;
};
constexpr std::array<const char*, 6> steps = {"make namespaces", "map this user", "bring up the loopback", "hide /run",
                                             "give up privileges", "start"};
constexpr unsigned io_uring_setup_number = 425;  // on every processor

bool write_small(const char* path, const char* text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  const bool done = fd >= 0 && ::write(fd, text, std::strlen(text)) == static_cast<ssize_t>(std::strlen(text));
  if (fd >= 0) ::close(fd);
  return done;
}

bool bring_up_loopback() {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool done = fd >= 0 && ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  if (fd >= 0) ::close(fd);
  return done;
}

// A socket that somebody left open in us is a way out too; the three standard streams are the user's choice.
void let_go_of_sockets() {
  constexpr rlim_t looked_at_max = 65'536;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = looked_at_max;
  for (int fd = 3; fd < static_cast<int>(std::min(limit.rlim_cur, looked_at_max)); ++fd) {
    struct stat what {};
    if (::fstat(fd, &what) == 0 && S_ISSOCK(what.st_mode)) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}

// The client's own limits. Of sockets it gets those of its empty network, and pairs that lead nowhere else
// (one of datagrams could be pointed elsewhere); io_uring would make others unseen; and a terminal would
// take keys from it and give them to the shell that comes after.
bool close_ways_around() {
  SystemCallFilter filter;
  filter.refuse_unless(__NR_socket, {}, {AF_INET, AF_INET6, AF_NETLINK}, EAFNOSUPPORT);
  filter.refuse_unless(__NR_socketpair, {.index = 1, .mask = 0xF}, {SOCK_STREAM, SOCK_SEQPACKET}, EPROTONOSUPPORT);
  filter.refuse(io_uring_setup_number, ENOSYS);
  filter.refuse_if(__NR_ioctl, {.index = 1}, {TIOCSTI, TIOCLINUX}, EPERM);
  return filter.install();
}

// In the child of a fork: system calls only, until it is another program.
[[noreturn]] void become_sealed(const char* uid_map, const char* gid_map, char** arguments, char** environment, int report_fd) {
  const auto give_up = [&](int step) {
    const Failure failure{step, errno};
    (void)!::write(report_fd, &failure, sizeof(failure));
    ::_exit(127);
  };
  // Its end is ours.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC) != 0) give_up(0);
  write_small("/proc/self/setgroups", "deny");
  if (!write_small("/proc/self/uid_map", uid_map) || !write_small("/proc/self/gid_map", gid_map)) give_up(1);
  if (!bring_up_loopback()) give_up(2);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "size=1m") != 0) {
    give_up(3);
  }
  if (!give_up_capabilities()) give_up(4);
  let_go_of_sockets();
  reset_signals();
  ::execve(arguments[0], arguments, environment);
  give_up(5);
  ::_exit(127);
}

Result<pid_t> start_in_namespaces(std::vector<std::string> arguments, std::vector<std::string> environment) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail_errno("make a pipe for", arguments[0], errno);
  const FileDescriptor said(fds[0]);
  FileDescriptor says(fds[1]);
  const std::string uid_map = fmt::format("{0} {0} 1\n", ::getuid()), gid_map = fmt::format("{0} {0} 1\n", ::getgid());
  auto argv = pointers(arguments);
  auto envp = pointers(environment);
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("start", arguments[0], errno);
  if (pid == 0) become_sealed(uid_map.c_str(), gid_map.c_str(), argv.data(), envp.data(), says.get());
  says.close();
  Failure failure;
  if (::read(said.get(), &failure, sizeof(failure)) != sizeof(failure)) return pid;
  (void)wait_for(pid);
  return fail(Code::permission,
              fmt::format("cannot {} for a sealed client: {}. Namespaces of users must be allowed on this machine "
                          "(sysctl kernel.unprivileged_userns_clone=1, or kernel.apparmor_restrict_unprivileged_userns=0)",
                          steps[static_cast<std::size_t>(failure.step)], std::strerror(failure.error_number)));
}

#endif

}  // namespace

#ifdef __linux__

Result<int> run_sealed(const SealedChild& child, const StopToken& stop) {
  const auto reached = net::connect_stream(child.gateway, Deadline::after(open_time_max), stop);
  if (!reached) {
    return fail(Code::unavailable, fmt::format("hearth serve does not answer at {}; start it, or give --gateway", child.gateway.text()));
  }
  const auto directory = TRY(TemporaryDirectory::create("hearth-sealed"));
  const std::string socket = (directory.path() / "gateway.sock").string();
  auto listener = TRY(net::Listener::listen(net::Address::unix_socket(socket)));
  const auto http = net::make_curl_client();
  net::HttpServerOptions limits;
  limits.connections_max = connections_max;
  const auto relay = TRY(net::HttpServer::start(std::move(listener), sealing_relay(child.gateway, *http), std::move(limits)));
  const auto self = own_executable();
  std::vector<std::string> arguments = {self.string(), "seal", "inside", "--socket", socket,
                                        "--port", std::to_string(child.port), "--"};
  arguments.insert(arguments.end(), child.command.begin(), child.command.end());
  const auto profile = seal::client_profile({child.command[0], child.port, child.key});
  leave_keyboard_to_child();
  const pid_t pid = TRY(start_in_namespaces(std::move(arguments), seal::sealed_environment(all_variables(), profile)));
  return wait_for(pid, stop);
}

Result<int> run_inside(const std::string& socket, std::uint16_t port, const std::vector<std::string>& command) {
  TRY(harden_process());  // the client must not do through us what it cannot do itself
  auto listener = TRY(net::Listener::listen(net::Address::tcp("127.0.0.1", port)));
  const auto relay = net::Relay::start(std::move(listener), opener_to(net::Address::unix_socket(socket)), connections_max);
  leave_keyboard_to_child();
  std::vector<std::string> arguments = command;
  auto argv = pointers(arguments);
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("start", command[0], errno);
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    reset_signals();
    constexpr std::string_view why = "hearth seal: this system filters no system calls, so the client was not started\n";
    if (!close_ways_around()) {
      (void)!::write(STDERR_FILENO, why.data(), why.size());
      ::_exit(127);
    }
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  return wait_for(pid);
}

#else

Result<int> run_sealed(const SealedChild& child, const StopToken& stop) {
  if (child.gateway.host != "127.0.0.1" && child.gateway.host != "localhost") {
    return fail(Code::unsupported, "a sealed client reaches a gateway on this machine's loopback only");
  }
  const auto profile = seal::client_profile({child.command[0], child.gateway.port, child.key});
  std::vector<std::string> arguments = {"/usr/bin/sandbox-exec", "-p", seal::sandbox_profile(child.gateway.port)};
  arguments.insert(arguments.end(), child.command.begin(), child.command.end());
  std::vector<std::string> environment = seal::sealed_environment(all_variables(), profile);
  auto argv = pointers(arguments);
  auto envp = pointers(environment);
  leave_keyboard_to_child();
  const pid_t pid = ::fork();
  if (pid < 0) return fail_errno("start", child.command[0], errno);
  if (pid == 0) {
    reset_signals();
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  return wait_for(pid, stop);
}

Result<int> run_inside(const std::string&, std::uint16_t, const std::vector<std::string>&) {
  return fail(Code::unsupported, "namespaces are Linux's");
}

#endif

}  // namespace hearth::cli
