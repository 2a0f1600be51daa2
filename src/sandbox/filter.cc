#include "sandbox/filter.h"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstdint>
#include <initializer_list>

namespace gabbro::sandbox {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kProcessor = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kProcessor = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t kProcessor = 0;
#endif

// Results of refused calls: "not permitted", and "no such call".
constexpr std::uint32_t kRefused = SECCOMP_RET_ERRNO | EPERM;
constexpr std::uint32_t kUnknown = SECCOMP_RET_ERRNO | ENOSYS;

// Newer system calls have the same number on all processors. The headers may not define them yet.
constexpr int kNewer[] = {424 /* pidfd_send_signal */,
                          425 /* io_uring_setup */,
                          426 /* io_uring_enter */,
                          427 /* io_uring_register */,
                          428 /* open_tree */,
                          429 /* move_mount */,
                          430 /* fsopen */,
                          431 /* fsconfig */,
                          432 /* fsmount */,
                          433 /* fspick */,
                          434 /* pidfd_open */,
                          438 /* pidfd_getfd */,
                          440 /* process_madvise */,
                          442 /* mount_setattr */,
                          443 /* quotactl_fd */,
                          447 /* memfd_secret */,
                          448 /* process_mrelease */,
                          452 /* fchmodat2 */,
                          463 /* setxattrat */,
                          466 /* removexattrat */,
                          467 /* open_tree_attr */,
                          469 /* file_setattr */};
constexpr int kClone3 = 435;

// Without `socket`, these only apply to descriptors that were left open.
constexpr int kSocketCalls[] = {SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_connect};

constexpr int kForbidden[] = {
    // Other processes. Of the calls that take the id of one, these are not needed for the process itself.
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_setpriority,
    SYS_ioprio_set,
    SYS_sched_setscheduler,
    SYS_sched_setparam,
    SYS_sched_setattr,
    SYS_migrate_pages,
    SYS_move_pages,
    SYS_get_robust_list,
    // Leaving the process group, which is how a worker and its descendants are killed.
    SYS_setsid,
    SYS_setpgid,
    // The machine.
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_unshare,
    SYS_setns,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_kexec_load,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_acct,
    SYS_quotactl,
    SYS_syslog,
    SYS_vhangup,
    SYS_personality,
    SYS_userfaultfd,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_lookup_dcookie,
    SYS_nfsservctl,
    SYS_fanotify_init,
    // Memory that does not count as resident.
    SYS_memfd_create,
    SYS_shmget,
    SYS_shmat,
    SYS_msgget,
    SYS_msgsnd,
    SYS_semget,
    SYS_mq_open,
    // Permissions and owners of files, and files other than regular ones.
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    SYS_mknodat,
    SYS_utimensat,
    SYS_linkat,
    SYS_symlinkat,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#if defined(__x86_64__)
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_mknod,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
    SYS_link,
    SYS_symlink,
    SYS_iopl,
    SYS_ioperm,
    SYS_modify_ldt,
    SYS_uselib,
    SYS__sysctl,
    SYS_create_module,
#endif
};

// Writes a filter, which checks the processor first.
class Assembler {
 public:
  Assembler() {
    add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
    add(BPF_JMP | BPF_JEQ | BPF_K, kProcessor, 1, 0);
    answer(SECCOMP_RET_KILL_PROCESS);
    load_number();
#if defined(__x86_64__)
    // Refuses the x32 interface, which offers all calls a second time.
    constexpr std::uint32_t kX32 = 0x40000000;  // added to the number of a call
    add(BPF_JMP | BPF_JGE | BPF_K, kX32, 0, 1);
    answer(kUnknown);
#endif
  }

  /// Refuses the call, whatever its arguments.
  void refuse(int call, std::uint32_t result = kRefused) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1);
    answer(result);
  }
  /// Loads argument `i` of `call` (counted from 0); `decide` then adds instructions that end in an answer.
  template <class Decide>
  void decide_by_argument(int call, int i, const Decide& decide) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 0);
    const std::size_t jump = out.code.size() - 1;
    load(i);
    decide();
    out.code[jump].jf = static_cast<std::uint8_t>(out.code.size() - jump - 1);
  }
  /// Refuses the call if the argument is one of `values`, otherwise allows it.
  void refuse_values(int call, int i, std::initializer_list<std::uint32_t> values) {
    decide_by_argument(call, i, [&] {
      for (const std::uint32_t v : values) {
        add(BPF_JMP | BPF_JEQ | BPF_K, v, 0, 1);
        answer(kRefused);
      }
      answer(SECCOMP_RET_ALLOW);
    });
  }
  struct Targets {
    bool zero = false, group = false;
  };
  /// Allows the call only if the argument is the id of the process itself, or, if `targets` says so, 0 or the
  /// negative id of its group.
  void only_itself(int call, int i, Targets targets) {
    decide_by_argument(call, i, [&] {
      if (targets.zero) allow_value(0);
      out.own_id.push_back(allow_value(0));  // 0 is replaced when the id is known.
      if (targets.group) out.own_group.push_back(allow_value(0));
      answer(kRefused);
    });
  }
  struct SocketKind {
    std::uint32_t family, type, protocol;
  };
  /// Allows a call that makes sockets only for sockets of these kinds.
  void only_sockets(int call, std::initializer_list<SocketKind> kinds) {
    decide_by_argument(call, 0, [&] {
      for (const SocketKind& kind : kinds) {
        load(0);
        // A comparison that fails jumps to the next kind.
        add(BPF_JMP | BPF_JEQ | BPF_K, kind.family, 0, 6);
        load(1);
        add(BPF_ALU | BPF_AND | BPF_K, 0xF);  // without SOCK_CLOEXEC and SOCK_NONBLOCK
        add(BPF_JMP | BPF_JEQ | BPF_K, kind.type, 0, 3);
        load(2);
        allow_value(kind.protocol);
      }
      answer(kRefused);
    });
  }
  /// Refuses the call if any bit of `mask` is set in the argument.
  void refuse_bits(int call, int i, std::uint32_t mask) {
    decide_by_argument(call, i, [&] {
      add(BPF_JMP | BPF_JSET | BPF_K, mask, 0, 1);
      answer(kRefused);
      answer(SECCOMP_RET_ALLOW);
    });
  }
  /// Refuses the call unless `bit` is set in the argument.
  void require_bit(int call, int i, std::uint32_t bit) {
    decide_by_argument(call, i, [&] {
      add(BPF_JMP | BPF_JSET | BPF_K, bit, 1, 0);
      answer(kRefused);
      answer(SECCOMP_RET_ALLOW);
    });
  }
  /// Allows the call if the loaded argument has this value. Returns the index of the instruction that
  /// compares.
  std::size_t allow_value(std::uint32_t value) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    answer(SECCOMP_RET_ALLOW);
    return out.code.size() - 2;
  }
  /// Ends the filter with this result for the call.
  void answer(std::uint32_t value) { add(BPF_RET | BPF_K, value); }

  FilterProgram out;

 private:
  // Loads the lower half of argument `i`. Both processors are little-endian.
  void load(int i) {
    add(BPF_LD | BPF_W | BPF_ABS,
        static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 8 * static_cast<std::size_t>(i)));
  }
  // Loads the number of the call.
  void load_number() { add(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)); }
  // Adds an instruction. A jump skips `when` instructions if its condition holds, and otherwise `unless`.
  void add(int code, std::uint32_t value, int when = 0, int unless = 0) {
    out.code.push_back({static_cast<std::uint16_t>(code), static_cast<std::uint8_t>(when),
                        static_cast<std::uint8_t>(unless), value});
  }
};

constexpr std::uint32_t kNamespaces = 0x7E020000;  // CLONE_NEW*
constexpr std::uint32_t kParent = 0x00008000;      // CLONE_PARENT: a child of the process's own parent
constexpr std::uint32_t kThread = 0x00010000;      // CLONE_THREAD

}  // namespace

bool has_filter() { return kProcessor != 0; }

FilterProgram outer_filter(Sockets sockets) {
  Assembler a;
  for (const int call : kForbidden) a.refuse(call);
  for (const int call : kNewer) a.refuse(call);
  // The flags of clone3 are in memory, where a filter cannot see them. Callers fall back to clone.
  a.refuse(kClone3, kUnknown);
  a.refuse_bits(SYS_clone, 0, kNamespaces | kParent);
  if (sockets == Sockets::kLoopback) {
    // TCP, and the list of the namespace's network interfaces.
    a.only_sockets(SYS_socket, {{AF_INET, SOCK_STREAM, 0},
                                {AF_INET, SOCK_STREAM, IPPROTO_TCP},
                                {AF_INET6, SOCK_STREAM, 0},
                                {AF_INET6, SOCK_STREAM, IPPROTO_TCP},
                                {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE}});
  } else {
    a.refuse(SYS_socket);
    for (const int call : kSocketCalls) a.refuse(call);
  }
  // Datagrams of a pair could be sent to other addresses.
  if (sockets == Sockets::kNone)
    a.refuse(SYS_socketpair);
  else
    a.only_sockets(SYS_socketpair, {{AF_UNIX, SOCK_STREAM, 0}, {AF_UNIX, SOCK_SEQPACKET, 0}});
  a.only_itself(SYS_kill, 0, {.zero = true, .group = true});
  a.only_itself(SYS_tgkill, 0, {});
  a.only_itself(SYS_prlimit64, 0, {.zero = true});
  a.only_itself(SYS_sched_setaffinity, 0, {.zero = true});
  // Values: PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_MM, PR_SET_CHILD_SUBREAPER, PR_SCHED_CORE,
  // PR_SET_PTRACER.
  a.refuse_values(SYS_prctl, 0, {1, 4, 35, 36, 62, 0x59616d61});
  // Values: F_SETOWN, F_SETSIG, F_SETOWN_EX, by which a descriptor would signal other processes.
  a.refuse_values(SYS_fcntl, 1, {8, 10, 15});
  // Values: TIOCSPGRP, TIOCSTI, TIOCLINUX, FIOSETOWN, SIOCSPGRP.
  a.refuse_values(SYS_ioctl, 1, {0x5410, 0x5412, 0x541C, 0x8901, 0x8902});
  a.answer(SECCOMP_RET_ALLOW);
  return std::move(a.out);
}

FilterProgram sealing_filter() {
  Assembler a;
  for (const int call : {SYS_execve, SYS_execveat}) a.refuse(call);
#if defined(__x86_64__)
  for (const int call : {SYS_fork, SYS_vfork}) a.refuse(call);
#endif
  a.refuse(kClone3, kUnknown);
  a.require_bit(SYS_clone, 0, kThread);
  a.answer(SECCOMP_RET_ALLOW);
  return std::move(a.out);
}

}  // namespace gabbro::sandbox
