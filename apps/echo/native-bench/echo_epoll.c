/* TCP echo on epoll, as lean as it gets: level-triggered, one read and one write per ready connection. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "listen.h"

#define CHUNK_BYTES 65536
#define EVENTS_MAX 512

/* Bytes that the socket would not take yet; while there are some, nothing more is read from that connection. */
struct pending {
  char *bytes;
  size_t length, sent;
};

static struct pending pending[CONNECTIONS_MAX];
static int poller, listener;
static bool accepting = true;

static void watch(int operation, int descriptor, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = descriptor};
  if (epoll_ctl(poller, operation, descriptor, &event) < 0) fail("epoll_ctl");
}

static void close_connection(int connection) {
  free(pending[connection].bytes);
  pending[connection] = (struct pending){0};
  if (close(connection) < 0 && errno != ECONNRESET) fail("close");
  if (accepting) return;
  accepting = true; /* a descriptor is free again */
  watch(EPOLL_CTL_MOD, listener, EPOLLIN);
}

static void accept_all(void) {
  for (;;) {
    int connection = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connection >= CONNECTIONS_MAX) {
      close(connection);
    } else if (connection >= 0) {
      watch(EPOLL_CTL_ADD, connection, EPOLLIN);
    } else if (errno == EAGAIN) {
      return;
    } else if (errno == EMFILE || errno == ENFILE) {
      accepting = false;
      watch(EPOLL_CTL_MOD, listener, 0);
      return;
    } else if (errno != ECONNABORTED && errno != EINTR) {
      fail("accept4");
    }
  }
}

/* Sends; what the socket will not take is kept until it is writable. False when the connection is gone. */
static bool send_or_keep(int connection, const char *bytes, size_t length) {
  ssize_t sent = send(connection, bytes, length, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
  size_t done = sent < 0 ? 0 : (size_t)sent;
  if (done == length) return true;
  struct pending *rest = &pending[connection];
  rest->bytes = malloc(length - done);
  if (rest->bytes == NULL) fail("malloc");
  memcpy(rest->bytes, bytes + done, length - done);
  rest->length = length - done;
  rest->sent = 0;
  watch(EPOLL_CTL_MOD, connection, EPOLLOUT);
  return true;
}

static void send_rest(int connection) {
  struct pending *rest = &pending[connection];
  ssize_t sent = send(connection, rest->bytes + rest->sent, rest->length - rest->sent, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) close_connection(connection);
    return;
  }
  rest->sent += (size_t)sent;
  if (rest->sent < rest->length) return;
  free(rest->bytes);
  *rest = (struct pending){0};
  watch(EPOLL_CTL_MOD, connection, EPOLLIN);
}

static void echo(int connection) {
  static char chunk[CHUNK_BYTES];
  ssize_t received = recv(connection, chunk, sizeof chunk, 0);
  if (received > 0) {
    if (!send_or_keep(connection, chunk, (size_t)received)) close_connection(connection);
  } else if (received == 0 || (errno != EAGAIN && errno != EINTR)) {
    close_connection(connection);
  }
}

int main(void) {
  static struct epoll_event events[EVENTS_MAX];
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) fail("epoll_create1");
  listener = listen_on_loopback(SOCK_NONBLOCK);
  watch(EPOLL_CTL_ADD, listener, EPOLLIN);
  for (;;) {
    int count = epoll_wait(poller, events, EVENTS_MAX, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; i++) {
      int descriptor = events[i].data.fd;
      if (descriptor == listener) {
        accept_all();
      } else if (pending[descriptor].bytes != NULL) {
        send_rest(descriptor);
      } else {
        echo(descriptor);
      }
    }
  }
}
