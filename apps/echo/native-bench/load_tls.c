/*
 * The load generator for TLS 1.3 on epoll. `messages` keeps a number of messages in flight on every connection; `full` and
 * `resumed` connect, shake hands, echo one message and close, again and again.
 *
 * A line on standard input asks for the number of messages (or connections) so far, and the latencies since the last
 * question; the end of standard input asks to finish: every reply that is due is waited for, and every connection is closed
 * in order.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tls13_client.h"

#define CONNECTIONS_AT_ONCE_MAX 1024
#define IN_FLIGHT_MAX 256
#define INPUT_BYTES (2 * RECORD_BYTES_MAX)
#define OUTPUT_BYTES (2 * RECORD_BYTES_MAX)
#define EVENTS_MAX 256
/* Contents differ between this many connections, so that replies that go astray are noticed. */
#define VARIANTS 8
/* All replies but one in so many are only counted: looking at them would cost what it costs the server. */
#define LOOK_AT_ONE_IN 16
/* Latencies in microseconds, to 1 %: 128 steps for every power of two. */
#define BUCKETS (20 * 128)

struct connection {
  struct tls_client tls;
  int descriptor;
  bool waits_for_room, ending, ended;
  const uint8_t *pattern;
  size_t position; /* in the reply that is arriving */
  size_t outstanding; /* messages without their whole reply */
  size_t due; /* messages to send when there is room */
  uint64_t replies; /* records with replies so far */
  uint64_t sent_at[IN_FLIGHT_MAX];
  size_t oldest;
  uint8_t input[INPUT_BYTES], output[OUTPUT_BYTES];
  size_t filled, to_send, sent;
};

static struct connection *connections;
static uint8_t *patterns;
static struct sockaddr_in server = {.sin_family = AF_INET};
static bool handshakes, resume, stopping;
static size_t message_bytes, in_flight, open_connections;
static int poller;
static uint64_t now_us, messages, latencies[BUCKETS];

static void fail(const char *call) {
  perror(call);
  exit(1);
}

static uint64_t read_clock(void) {
  struct timespec time;
  if (clock_gettime(CLOCK_MONOTONIC, &time) < 0) fail("clock_gettime");
  return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void record_latency(uint64_t since) {
  uint64_t value = now_us - since;
  unsigned shift = 0;
  while (value >> shift >= 256) shift++;
  size_t bucket = shift * 128 + (size_t)(value >> shift);
  latencies[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}

static uint64_t latency_at(double share) {
  uint64_t total = 0, seen = 0;
  size_t bucket = 0;
  for (size_t i = 0; i < BUCKETS; i++) total += latencies[i];
  while (bucket < BUCKETS - 1 && (double)(seen += latencies[bucket]) < share * (double)total) bucket++;
  return bucket < 256 ? bucket : (uint64_t)(bucket % 128 + 128) << (bucket / 128 - 1);
}

static void answer(void) {
  printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", messages, latency_at(0.5), latency_at(0.99),
         latency_at(1));
  if (fflush(stdout) != 0) fail("stdout");
  memset(latencies, 0, sizeof latencies);
}

static void watch(int operation, struct connection *connection, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  if (epoll_ctl(poller, operation, connection->descriptor, &event) < 0) fail("epoll_ctl");
}

/* Sends what is in `output`; what the socket does not take goes when it is writable. */
static void flush(struct connection *connection) {
  ssize_t sent = send(connection->descriptor, connection->output + connection->sent,
                      connection->to_send - connection->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) fail("send");
  if (sent > 0) connection->sent += (size_t)sent;
  bool rest = connection->sent < connection->to_send;
  if (!rest) connection->sent = connection->to_send = 0;
  if (rest == connection->waits_for_room) return;
  connection->waits_for_room = rest;
  watch(EPOLL_CTL_MOD, connection, rest ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* Messages that are due together leave in one record, behind what is in `output` already. */
static void say(struct connection *connection, size_t count) {
  connection->due += count;
  if (connection->waits_for_room) return;
  uint8_t *end = put_record(connection->output + connection->to_send, &connection->tls.writing, RECORD_DATA,
                            connection->pattern, connection->due * message_bytes);
  connection->to_send = (size_t)(end - connection->output);
  connection->outstanding += connection->due;
  connection->due = 0;
  flush(connection);
}

static void begin(struct connection *connection) {
  const int one = 1;
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("socket");
  if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0) fail("setsockopt");
  if (connect(descriptor, (struct sockaddr *)&server, sizeof server) < 0) fail("connect");
  connection->descriptor = descriptor;
  connection->waits_for_room = connection->ending = connection->ended = false;
  connection->position = connection->outstanding = connection->due = 0;
  connection->replies = 0;
  connection->filled = connection->sent = 0;
  for (size_t i = 0; i < in_flight; i++) connection->sent_at[i] = now_us;
  connection->oldest = 0;
  watch(EPOLL_CTL_ADD, connection, EPOLLIN);
  bool first = connection->tls.ticket.length == 0;
  connection->to_send = tls_start(&connection->tls, resume && !first, now_us / 1000, connection->output);
  flush(connection);
}

/* Says close_notify. The server answers with its own and ends the stream first, so that no port here stays reserved. */
static void end(struct connection *connection) {
  connection->ending = true;
  connection->to_send = (size_t)(tls_put_end(&connection->tls, connection->output) - connection->output);
  flush(connection);
}

static void ended(struct connection *connection) {
  must(connection->ended, "the server has ended a connection without a close_notify");
  if (close(connection->descriptor) < 0 && errno != ECONNRESET) fail("close");
  if (stopping) open_connections--;
  else begin(connection);
}

static void count_replies(struct connection *connection, size_t count) {
  connection->outstanding -= count;
  messages += count;
  for (size_t i = 0; i < count; i++) {
    record_latency(connection->sent_at[connection->oldest]);
    connection->sent_at[connection->oldest] = now_us;
    connection->oldest = (connection->oldest + 1) % in_flight;
  }
  if (!handshakes && !stopping) say(connection, count);
  else if (connection->outstanding == 0 && connection->due == 0) end(connection);
}

static void take_reply(struct connection *connection, const uint8_t *bytes, size_t length) {
  size_t arrived = connection->position + length, whole = arrived / message_bytes;
  must(bytes == NULL || memcmp(bytes, connection->pattern + connection->position, length) == 0,
       "something else came back than what was sent");
  must(whole <= connection->outstanding, "more came back than what was sent");
  connection->position = arrived % message_bytes;
  connection->replies++;
  if (whole > 0) count_replies(connection, whole);
}

static void take_record(struct connection *connection, uint8_t *record, size_t size) {
  struct tls_client *tls = &connection->tls;
  size_t length;
  must(!connection->ended, "the server has sent something after its close_notify");
  /* After the first reply nothing but replies can come, until we end. */
  if (connection->replies % LOOK_AT_ONE_IN != 0 && !connection->ending) {
    take_reply(connection, NULL, skip_record(tls, size));
    return;
  }
  switch (tls_take(tls, record, size, now_us / 1000, &length)) {
    case ARRIVED_NOTHING: break;
    case ARRIVED_FINISHED:
      connection->to_send = (size_t)(tls_finish(tls, connection->output) - connection->output);
      say(connection, in_flight);
      break;
    case ARRIVED_DATA: take_reply(connection, record + RECORD_HEADER_BYTES, length); break;
    case ARRIVED_END:
      must(connection->ending, "the server has ended a connection");
      connection->ended = true;
      break;
  }
}

static void receive(struct connection *connection) {
  uint8_t *input = connection->input;
  size_t taken = 0;
  ssize_t received =
      recv(connection->descriptor, input + connection->filled, INPUT_BYTES - connection->filled, MSG_DONTWAIT);
  if (received < 0 && errno == EAGAIN) return;
  if (received < 0) fail("recv");
  if (received == 0) {
    ended(connection);
    return;
  }
  connection->filled += (size_t)received;
  while (connection->filled - taken >= RECORD_HEADER_BYTES) {
    size_t size = RECORD_HEADER_BYTES + read_number(input + taken + 3, 2);
    must(size <= RECORD_BYTES_MAX, "the server sent a record that is too long");
    if (connection->filled - taken < size) break;
    take_record(connection, input + taken, size);
    taken += size;
  }
  connection->filled -= taken;
  memmove(input, input + taken, connection->filled);
}

/* Room for what could not be sent, or something arrived. */
static void on_event(struct connection *connection, uint32_t events) {
  if (events & EPOLLOUT) {
    flush(connection);
    if (!connection->waits_for_room && connection->due > 0) say(connection, 0);
  }
  if (events & ~(uint32_t)EPOLLOUT) receive(connection);
}

static void on_input(void) {
  char lines[64];
  ssize_t count = read(STDIN_FILENO, lines, sizeof lines);
  if (count < 0) fail("read");
  for (ssize_t i = 0; i < count; i++) {
    if (lines[i] == '\n') answer();
  }
  if (count > 0) return;
  stopping = true;
  if (epoll_ctl(poller, EPOLL_CTL_DEL, STDIN_FILENO, NULL) < 0) fail("epoll_ctl");
}

static size_t argument(const char *text, size_t most) {
  unsigned long value = strtoul(text, NULL, 10);
  must(value >= 1 && value <= most, "an argument is not a number, or out of range");
  return value;
}

static void read_arguments(int argc, char **argv) {
  must(argc == 6, "usage: load_tls PORT messages|full|resumed BYTES CONNECTIONS IN_FLIGHT");
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server.sin_port = htons((uint16_t)argument(argv[1], 65535));
  handshakes = strcmp(argv[2], "messages") != 0;
  resume = strcmp(argv[2], "resumed") == 0;
  must(!handshakes || resume || strcmp(argv[2], "full") == 0, "messages, full or resumed");
  message_bytes = argument(argv[3], PLAIN_BYTES_MAX);
  open_connections = argument(argv[4], CONNECTIONS_AT_ONCE_MAX);
  in_flight = argument(argv[5], IN_FLIGHT_MAX);
  must(message_bytes * in_flight <= PLAIN_BYTES_MAX, "the messages in flight must fit into one record");
}

/* A pattern is long enough to be compared with a whole record, wherever in a message that begins. */
static void set_up_connections(void) {
  size_t pattern_bytes = PLAIN_BYTES_MAX + message_bytes;
  patterns = malloc(VARIANTS * pattern_bytes);
  connections = calloc(open_connections, sizeof *connections);
  if (patterns == NULL || connections == NULL) fail("malloc");
  for (size_t variant = 0; variant < VARIANTS; variant++) {
    uint8_t *pattern = patterns + variant * pattern_bytes;
    for (size_t i = 0; i < pattern_bytes; i++) pattern[i] = (uint8_t)(i % message_bytes * 7 + variant * 31);
  }
  for (size_t i = 0; i < open_connections; i++) {
    connections[i].pattern = patterns + i % VARIANTS * pattern_bytes;
    begin(&connections[i]);
  }
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--version") == 0) return puts(OpenSSL_version(OPENSSL_VERSION)) < 0;
  static struct epoll_event events[EVENTS_MAX];
  struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
  read_arguments(argc, argv);
  if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) fail("prctl");
  tls_set_up();
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (poller < 0) fail("epoll_create1");
  if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &input) < 0) fail("epoll_ctl");
  now_us = read_clock();
  set_up_connections();
  while (!stopping || open_connections > 0) {
    int count = epoll_wait(poller, events, EVENTS_MAX, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    now_us = read_clock();
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == NULL) on_input();
      else on_event(events[i].data.ptr, events[i].events);
    }
  }
}
