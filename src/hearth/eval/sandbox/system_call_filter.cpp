#ifdef __linux__
#include "hearth/eval/sandbox/system_call_filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <iterator>

namespace hearth::eval {
namespace {

// New processes and namespaces, other processes' memory, sockets, mounts, memory that no limit counts,
// and doors into the kernel that a computation has no use for.
constexpr unsigned denied[] = {
#ifdef __NR_fork
    __NR_fork, __NR_vfork,
#endif
    __NR_unshare, __NR_setns, __NR_ptrace, __NR_process_vm_readv, __NR_process_vm_writev, __NR_kcmp,
    __NR_socket, __NR_mount, __NR_umount2, __NR_pivot_root, __NR_chroot, __NR_memfd_create, __NR_shmget,
    __NR_shmat, __NR_msgget, __NR_semget, __NR_mq_open, __NR_bpf, __NR_perf_event_open, __NR_userfaultfd,
    __NR_keyctl, __NR_add_key, __NR_request_key, __NR_init_module, __NR_finit_module, __NR_delete_module,
    __NR_kexec_load, __NR_reboot, __NR_swapon, __NR_swapoff, __NR_acct, __NR_quotactl, __NR_personality,
    __NR_settimeofday, __NR_clock_settime, __NR_adjtimex, __NR_syslog, __NR_name_to_handle_at,
    __NR_open_by_handle_at, __NR_mlock, __NR_mlockall, __NR_execveat,
    // The same numbers on every processor.
    425, 426, 427,                      // io_uring_*
    428, 429, 430, 431, 432, 433, 442,  // open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr
    434, 438, 447,                      // pidfd_open, pidfd_getfd, memfd_secret
};
constexpr unsigned clone3_number = 435;  // its flags are behind a pointer; without it, libraries use clone

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

constexpr unsigned number_offset = offsetof(seccomp_data, nr);
constexpr unsigned architecture_offset = offsetof(seccomp_data, arch);
constexpr unsigned first_argument_offset = offsetof(seccomp_data, args);  // its low half: little endian
constexpr unsigned allow = SECCOMP_RET_ALLOW, kill = SECCOMP_RET_KILL_PROCESS;
constexpr unsigned refuse = SECCOMP_RET_ERRNO | EPERM, absent = SECCOMP_RET_ERRNO | ENOSYS;

class Filter {
 public:
  Filter() {
    add(BPF_LD | BPF_W | BPF_ABS, architecture_offset);
    add(BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0);
    add(BPF_RET | BPF_K, kill);
    add(BPF_LD | BPF_W | BPF_ABS, number_offset);
    add(BPF_JMP | BPF_JGE | BPF_K, foreign_calls_from, 0, 1);
    add(BPF_RET | BPF_K, kill);
    for (const unsigned number : denied) on(number, refuse);
    on(clone3_number, absent);
    add(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 3);
    add(BPF_LD | BPF_W | BPF_ABS, first_argument_offset);
    add(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 1, 0);
    add(BPF_RET | BPF_K, refuse);
    add(BPF_RET | BPF_K, allow);
  }
  bool install() {
    sock_fprog program{static_cast<unsigned short>(count_), code_};
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
  }

 private:
  void add(unsigned code, unsigned value, unsigned char if_true = 0, unsigned char if_false = 0) {
    code_[count_++] = {static_cast<unsigned short>(code), if_true, if_false, value};
  }
  void on(unsigned number, unsigned verdict) {
    add(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
    add(BPF_RET | BPF_K, verdict);
  }

  sock_filter code_[2 * std::size(denied) + 32];
  std::size_t count_ = 0;
};

}  // namespace

bool install_system_call_filter() {
  if (architecture == 0) {
    errno = ENOSYS;
    return false;
  }
  return Filter().install();
}

}  // namespace hearth::eval
#endif
