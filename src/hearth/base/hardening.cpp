#include "hearth/base/hardening.h"

#include <sys/resource.h>
#ifdef __linux__
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <cerrno>

#include "hearth/base/file.h"

namespace hearth {

Result<> harden_process() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return fail_errno("forbid core dumps of", "this process", errno);
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)  // whose leak check looks as a debugger does
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return fail_errno("hide the memory of", "this process", errno);
#endif
  return {};
}

#ifdef __linux__

bool give_up_capabilities() {
  // Without CAP_SETPCAP these two fail, and then there is nothing that they would take away.
  (void)::prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
                                       SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED);
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability) >= 0; ++capability) (void)::prctl(PR_CAPBSET_DROP, capability);
  (void)::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capset, &header, none) != 0) return false;
  // From here on no program gains any, whatever the sets above would give it.
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

#else

bool give_up_capabilities() { return true; }

#endif

}  // namespace hearth
