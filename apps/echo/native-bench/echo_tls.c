/* TLS 1.3 echo on epoll and OpenSSL: level-triggered, records are read ahead, one SSL_write for each SSL_read. */
#define _GNU_SOURCE
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "listen.h"

#define CHUNK_BYTES SSL3_RT_MAX_PLAIN_LENGTH /* what one SSL_read gives at most */
#define EVENTS_MAX 512

/* What the socket would not take yet is in `rest`; while there is some, nothing more is read from that connection. */
struct connection {
  SSL *tls;
  char *rest;
  int rest_length;
};

static struct connection connections[CONNECTIONS_MAX];
static SSL_CTX *context;
static int poller, listener;
static bool accepting = true;

static void fail_tls(const char *what) {
  fprintf(stderr, "%s\n", what);
  ERR_print_errors_fp(stderr);
  exit(1);
}

static void watch(int operation, int descriptor, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = descriptor};
  if (epoll_ctl(poller, operation, descriptor, &event) < 0) fail("epoll_ctl");
}

static void close_connection(int descriptor) {
  struct connection *connection = &connections[descriptor];
  free(connection->rest);
  SSL_free(connection->tls);
  *connection = (struct connection){0};
  if (close(descriptor) < 0 && errno != ECONNRESET) fail("close");
  if (accepting) return;
  accepting = true; /* a descriptor is free again */
  watch(EPOLL_CTL_MOD, listener, EPOLLIN);
}

static void open_connection(int descriptor) {
  SSL *tls = SSL_new(context);
  if (tls == NULL || SSL_set_fd(tls, descriptor) != 1) fail_tls("SSL_new");
  SSL_set_accept_state(tls);
  connections[descriptor].tls = tls;
  watch(EPOLL_CTL_ADD, descriptor, EPOLLIN);
}

static void accept_all(void) {
  for (;;) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= CONNECTIONS_MAX) {
      close(descriptor);
    } else if (descriptor >= 0) {
      open_connection(descriptor);
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

/* Closes, in order when the peer has done so, unless it is only that the socket has nothing, or no room. */
static bool waits(int descriptor, int result) {
  SSL *tls = connections[descriptor].tls;
  int reason = SSL_get_error(tls, result);
  if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) return true;
  if (reason == SSL_ERROR_ZERO_RETURN) SSL_shutdown(tls);
  ERR_clear_error();
  close_connection(descriptor);
  return false;
}

/* Sends; what the socket will not take is kept until it is writable. False when nothing may be read for now. */
static bool send_or_keep(int descriptor, const char *bytes, int length) {
  struct connection *connection = &connections[descriptor];
  int sent = SSL_write(connection->tls, bytes, length);
  if (sent == length) return true;
  if (!waits(descriptor, sent)) return false;
  connection->rest = malloc((size_t)length);
  if (connection->rest == NULL) fail("malloc");
  memcpy(connection->rest, bytes, (size_t)length);
  connection->rest_length = length;
  watch(EPOLL_CTL_MOD, descriptor, EPOLLOUT);
  return false;
}

/* The socket is not asked again when all that it gave is used up: epoll tells when there is more. */
static void echo(int descriptor) {
  static char chunk[CHUNK_BYTES];
  SSL *tls = connections[descriptor].tls;
  do {
    int received = SSL_read(tls, chunk, sizeof chunk);
    if (received <= 0) {
      waits(descriptor, received);
      return;
    }
    if (!send_or_keep(descriptor, chunk, received)) return;
  } while (SSL_has_pending(tls));
}

static void send_rest(int descriptor) {
  struct connection *connection = &connections[descriptor];
  int sent = SSL_write(connection->tls, connection->rest, connection->rest_length);
  if (sent <= 0) {
    waits(descriptor, sent);
    return;
  }
  free(connection->rest);
  connection->rest = NULL;
  watch(EPOLL_CTL_MOD, descriptor, EPOLLIN);
  if (SSL_has_pending(connection->tls)) echo(descriptor);
}

static void set_up_context(const char *certificate, const char *key) {
  context = SSL_CTX_new(TLS_server_method());
  if (context == NULL) fail_tls("SSL_CTX_new");
  if (SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1) fail_tls("SSL_CTX_set_min_proto_version");
  if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) fail_tls(certificate);
  if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) fail_tls(key);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets need none */
}

int main(int argc, char **argv) {
  static struct epoll_event events[EVENTS_MAX];
  if (argc != 3) {
    fprintf(stderr, "usage: echo_tls CERTIFICATE KEY\n");
    return 2;
  }
  set_up_context(argv[1], argv[2]);
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
      } else if (connections[descriptor].rest != NULL) {
        send_rest(descriptor);
      } else {
        echo(descriptor);
      }
    }
  }
}
