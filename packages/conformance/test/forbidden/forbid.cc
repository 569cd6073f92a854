// Runs a program to which the kernel refuses one system call, as container runtimes do: forbid CALL ERRNO PROGRAM ARGS...
// CALL is setup, enter or register (of io_uring); a seccomp filter (seccomp(2)) answers it with ERRNO.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>

int main(int count, char** arguments) {
  if (count < 4) return 2;
  unsigned number = __NR_io_uring_setup;
  if (std::strcmp(arguments[1], "enter") == 0) number = __NR_io_uring_enter;
  if (std::strcmp(arguments[1], "register") == 0) number = __NR_io_uring_register;
  const auto answer = static_cast<unsigned>(std::atoi(arguments[2]));
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (answer & SECCOMP_RET_DATA)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    std::perror("prctl");
    return 3;
  }
  execv(arguments[3], arguments + 3);
  std::perror("execv");
  return 4;
}
