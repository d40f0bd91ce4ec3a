#ifdef __linux__
#include "hearth/eval/sandbox/system_call_filter.h"

#include <sched.h>
#include <sys/syscall.h>

#include <cerrno>

#include "hearth/base/system_call_filter.h"

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

}  // namespace

bool install_system_call_filter() {
  SystemCallFilter filter;
  for (const unsigned number : denied) filter.refuse(number, EPERM);
  filter.refuse(clone3_number, ENOSYS);
  filter.refuse_unless(__NR_clone, {.index = 0, .mask = CLONE_THREAD}, {CLONE_THREAD}, EPERM);
  return filter.install();
}

}  // namespace hearth::eval
#endif
