#include "hearth/eval/sandbox/sandbox.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "hearth/base/file.h"

namespace hearth::eval {
namespace {

const Sandbox& sandbox() {
  static const Result<Sandbox> opened = Sandbox::open(HEARTH_SANDBOX_EXECUTABLE);
  if (!opened) ADD_FAILURE() << opened.error().message;
  return *opened;
}

SandboxOutcome run(const std::string& program, SandboxLimits limits = {}, const std::string& input = "") {
  const SandboxRequest request{.arguments = {"program.py"}, .files = {{"program.py", program}}, .input = input, .limits = limits};
  const auto outcome = sandbox().run(request, {});
  EXPECT_TRUE(outcome) << outcome.error().message;
  return outcome ? *outcome : SandboxOutcome{};
}

TEST(Sandbox, RunsWhatOnlyComputes) {
  const SandboxOutcome found = run("import sys\nprint(sum(range(10)), sys.stdin.read())", {}, "heard");
  EXPECT_EQ(found.end, SandboxEnd::exited) << found.text();
  EXPECT_EQ(found.exit_code, 0) << found.errors;
  EXPECT_EQ(found.output, "45 heard\n");
}

TEST(Sandbox, TellsHowItEnded) {
  EXPECT_EQ(run("import sys; sys.exit(7)").exit_code, 7);
  const SandboxOutcome crashed = run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)");
  EXPECT_EQ(crashed.end, SandboxEnd::killed);
  EXPECT_EQ(crashed.signal, SIGSEGV);
  EXPECT_NE(run("raise ValueError('odd')").errors.find("ValueError: odd"), std::string::npos);
}

// Each tries one way out and prints "ESCAPED" when it worked.
struct Hostile {
  const char* name;
  const char* program;
  SandboxEnd end;
  const char* errors;  // part of its standard error, or ""
};

void PrintTo(const Hostile& one, std::ostream* out) { *out << one.name; }

class HostileAnswer : public testing::TestWithParam<Hostile> {};

TEST_P(HostileAnswer, IsContained) {
  const Hostile& one = GetParam();
  SandboxLimits limits{.wall_seconds = 2, .cpu_seconds = 4, .memory_bytes = 256u << 20, .disk_bytes = 4u << 20, .output_bytes = 64u << 10};
  const SandboxOutcome found = run(one.program, limits);
  EXPECT_EQ(sandbox_end_name(found.end), sandbox_end_name(one.end)) << found.text() << found.errors;
  EXPECT_EQ(found.output.find("ESCAPED"), std::string::npos) << found.output;
  EXPECT_NE(found.errors.find(one.errors), std::string::npos) << found.errors;
  EXPECT_LE(found.output.size(), limits.output_bytes);
  EXPECT_LT(found.wall_seconds, 10);
}

constexpr SandboxEnd exited = SandboxEnd::exited, killed = SandboxEnd::killed, timed_out = SandboxEnd::timed_out,
                     too_large = SandboxEnd::output_too_large;

const Hostile hostile[] = {
    {"forks without end", "import os\nwhile True:\n  os.fork()\n  print('ESCAPED', flush=True)", exited, "PermissionError"},
    {"starts threads without end",
     "import threading, time\nn = 0\nwhile n < 5000:\n  threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); n += 1\nprint('ESCAPED')",
     exited, "can't start new thread"},
    {"fills the disk", "f = open('/tmp/big', 'wb')\nfor _ in range(64): f.write(b'x' * (1 << 20)); f.flush()\nprint('ESCAPED')", exited, "File too large"},
    {"fills the disk with many files",
     "for i in range(64): open(f'/tmp/{i}', 'wb').write(b'x' * (1 << 20))\nprint('ESCAPED')", exited, "No space left"},
    {"opens a socket to the network", "import socket\nsocket.create_connection(('127.0.0.1', 22), 1)\nprint('ESCAPED')", exited, "Error"},
    {"talks to a socket of the machine", "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect('/run/systemd/journal/stdout')\nprint('ESCAPED')", exited, "PermissionError"},
    {"never ends", "while True: pass", timed_out, ""},
    {"sleeps for ever and ignores signals", "import signal, time\nfor s in (1, 2, 3, 15): signal.signal(s, signal.SIG_IGN)\ntime.sleep(1e6)", timed_out, ""},
    {"kills its parent", "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill(1, signal.SIGSTOP)\nos.kill(1, signal.SIGTERM)\ntime.sleep(0.1)\nprint('alive')", exited, ""},
    {"kills everything it can see", "import os, signal\nos.kill(-1, signal.SIGKILL)\nprint('alive')", exited, ""},
    {"reads the password file", "print('ESCAPED', open('/etc/shadow').read())", exited, "FileNotFoundError"},
    {"reads a home", "import os\nprint(os.listdir('/root'), 'ESCAPED')", exited, "FileNotFoundError"},
    {"looks at other processes", "import os\nprint(os.listdir('/proc'), 'ESCAPED')", exited, "FileNotFoundError"},
    {"writes outside", "open('/usr/bin/evil', 'w').write('x')\nprint('ESCAPED')", exited, "Error"},
    {"writes beside itself", "open('/job/evil', 'w').write('x')\nprint('ESCAPED')", exited, "Read-only file system"},
    {"makes its own program writable", "import os\nos.chmod('/job/program.py', 0o777)\nprint('ESCAPED')", exited, "Error"},
    {"traces its parent", "import ctypes, os\nc = ctypes.CDLL(None, use_errno=True)\nr = c.ptrace(16, os.getppid(), 0, 0)\nprint('ESCAPED' if r == 0 else ctypes.get_errno())", exited, ""},
    {"writes without end", "while True: print('y' * 1000)", too_large, ""},
    {"links to the outside", "import os\nos.symlink('/etc/passwd', '/tmp/p')\nos.symlink('../../../../root', '/tmp/r')\nprint(open('/tmp/p').read(), 'ESCAPED')", exited, "FileNotFoundError"},
    {"becomes a daemon", "import os\nos.setsid()\nif os.fork() == 0:\n  print('ESCAPED')", exited, "PermissionError"},
    {"takes all memory", "x = []\nwhile True: x.append(bytearray(16 << 20))\nprint('ESCAPED')", exited, "MemoryError"},
    {"takes memory that no limit counts", "import ctypes\nc = ctypes.CDLL(None)\nprint('ESCAPED' if c.shmget(0, 1 << 28, 0o1600) >= 0 or c.memfd_create(b'm', 0) >= 0 else 'refused')", exited, ""},
    {"makes namespaces of its own", "import ctypes\nc = ctypes.CDLL(None)\nprint('ESCAPED' if c.unshare(0x10000000) == 0 else 'refused')", exited, ""},
    {"becomes root", "import os\nos.setuid(0)\nprint('ESCAPED')", exited, "Error"},
    {"closes all its files", "import os\nos.closerange(0, 256)\nwhile True: pass", timed_out, ""},
    {"reads what it inherited", "import os\nfor fd in range(3, 64):\n  try:\n    os.fstat(fd)\n    print('ESCAPED', fd)\n  except OSError: pass\nprint([k for k in os.environ if 'HEARTH' in k or k == 'HEARTH_TEST_SECRET'])", exited, ""},
    {"uses up its processor time", "import time\nwhile True: pass", timed_out, ""},
};
INSTANTIATE_TEST_SUITE_P(All, HostileAnswer, testing::ValuesIn(hostile), [](const auto& test) {
  std::string name;
  for (const char c : std::string(test.param.name)) name += c == ' ' ? '_' : c;
  return name;
});

TEST(Sandbox, ProcessorTimeIsLimitedApartFromTime) {
  const SandboxOutcome found = run("while True: pass", {.wall_seconds = 20, .cpu_seconds = 1});
  EXPECT_EQ(found.end, SandboxEnd::killed);
  EXPECT_EQ(found.signal, SIGXCPU);
}

TEST(Sandbox, RunsDoNotSeeEachOther) {
  run("open('/tmp/left', 'w').write('x')");
  EXPECT_EQ(run("import os; print(os.listdir('/tmp'))").output, "[]\n");
}

TEST(Sandbox, StopsWhenAsked) {
  StopSource stop;
  stop.request_stop();
  const SandboxRequest request{.arguments = {"program.py"}, .files = {{"program.py", "while True: pass"}}};
  const auto outcome = sandbox().run(request, stop.token());
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::cancelled);
}

TEST(Sandbox, RefusesWithoutAnInterpreterAndSaysWhatToDo) {
  const auto opened = Sandbox::open(HEARTH_SANDBOX_EXECUTABLE, "/nowhere/python3");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("--python"), std::string::npos);
}

}  // namespace
}  // namespace hearth::eval
