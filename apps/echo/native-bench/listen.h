/* What both servers share: argument check, one listening socket on loopback, and how they fail. */
#ifndef ECHO_LISTEN_H
#define ECHO_LISTEN_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 65536 /* connections are kept in a table by descriptor */

static void fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

/* Listens on an ephemeral port of 127.0.0.1, says which on standard output, and ends when the parent does. */
static int listen_on_loopback(int type_flags) {
  const int one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type_flags, 0);
  if (listener < 0) fail("socket");
  /* Accepted sockets inherit TCP_NODELAY, which saves a system call for each. */
  if (setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0) fail("setsockopt");
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  if (listen(listener, 4096) < 0) fail("listen");
  if (getsockname(listener, (struct sockaddr *)&address, &length) < 0) fail("getsockname");
  if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) fail("prctl");
  if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) fail("signal");
  if (printf("listening %d\n", ntohs(address.sin_port)) < 0 || fflush(stdout) != 0) fail("stdout");
  return listener;
}

#endif
