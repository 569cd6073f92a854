/* UDP echo with recvmmsg and sendmmsg, as lean as it gets: one socket, everything that waits in two system calls. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define BATCH 256
#define DATAGRAM_BYTES 2048
#define SOCKET_BUFFER_BYTES (4 << 20)

static char bytes[BATCH][DATAGRAM_BYTES];
static struct sockaddr_in peers[BATCH];
static struct iovec pieces[BATCH];
static struct mmsghdr messages[BATCH];

static void fail(const char *call) {
  perror(call);
  exit(1);
}

static int open_socket(void) {
  int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("socket");
  int size = SOCKET_BUFFER_BYTES; /* the system grants what it allows */
  if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0) fail("setsockopt");
  if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) < 0) fail("setsockopt");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (bind(descriptor, (struct sockaddr *)&address, length) < 0) fail("bind");
  if (getsockname(descriptor, (struct sockaddr *)&address, &length) < 0) fail("getsockname");
  if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) fail("prctl"); /* it ends when the benchmark does */
  if (printf("listening %d\n", ntohs(address.sin_port)) < 0 || fflush(stdout) != 0) fail("stdout");
  return descriptor;
}

static int receive_all(int descriptor) {
  for (int i = 0; i < BATCH; i++) {
    pieces[i].iov_len = DATAGRAM_BYTES;
    messages[i].msg_hdr.msg_namelen = sizeof peers[i];
  }
  for (;;) {
    int count = recvmmsg(descriptor, messages, BATCH, MSG_WAITFORONE, NULL);
    if (count > 0) return count;
    if (errno != EINTR) fail("recvmmsg");
  }
}

static void send_back(int descriptor, int count) {
  for (int i = 0; i < count; i++) pieces[i].iov_len = messages[i].msg_len;
  for (int sent = 0; sent < count;) {
    int result = sendmmsg(descriptor, messages + sent, (unsigned)(count - sent), 0);
    if (result > 0) sent += result;
    else if (errno == ECONNREFUSED) sent++;
    else if (errno != EINTR) fail("sendmmsg");
  }
}

int main(void) {
  int descriptor = open_socket();
  for (int i = 0; i < BATCH; i++) {
    pieces[i].iov_base = bytes[i];
    messages[i].msg_hdr = (struct msghdr){
        .msg_name = &peers[i], .msg_namelen = sizeof peers[i], .msg_iov = &pieces[i], .msg_iovlen = 1};
  }
  for (;;) send_back(descriptor, receive_all(descriptor));
}
