/*
 * TCP echo on io_uring with raw system calls: multishot accept, multishot receive into a ring of provided buffers,
 * sends straight from those buffers, everything of one turn submitted and waited for with one system call.
 * Usage: echo_io_uring [buffers]   (a power of two; default 1024)
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "listen.h"

#define ENTRIES 4096
#define BUFFER_BYTES 16384
#define BUFFERS_MAX 32768
#define GATHER_MAX 16
#define NONE UINT16_MAX

enum operation { OP_ACCEPT, OP_RECEIVE, OP_SEND, OP_CLOSE };

/* One send is in flight per connection; what arrives meanwhile waits in a list of buffers and leaves as one. */
struct connection {
  struct msghdr message;
  struct iovec vectors[GATHER_MAX];
  uint16_t sending_first, waiting_first, waiting_last; /* lists of buffers */
  bool ended, queued;
};

static struct connection connections[CONNECTIONS_MAX];
static uint16_t next_buffer[BUFFERS_MAX];
static uint32_t filled[BUFFERS_MAX]; /* bytes in each buffer */
static int to_flush[CONNECTIONS_MAX];
static unsigned to_flush_count;
static int starved[CONNECTIONS_MAX]; /* connections whose receive waits for a buffer */
static unsigned starved_count;

static int ring, listener;
static bool accepting;
static unsigned *sq_head, *sq_tail, *cq_head, *cq_tail, sq_mask, cq_mask, sq_local, submitted;
static struct io_uring_sqe *sqes;
static struct io_uring_cqe *cqes;
static struct io_uring_buf *buffer_ring; /* its tail is the last 16 bits of the first entry */
static char *memory;
static uint16_t buffers, buffer_tail;

static void enter(unsigned wait_for) {
  __atomic_store_n(sq_tail, sq_local, __ATOMIC_RELEASE);
  long done = syscall(SYS_io_uring_enter, ring, sq_local - submitted, wait_for, IORING_ENTER_GETEVENTS, NULL, 0);
  if (done < 0 && errno != EINTR && errno != EAGAIN && errno != EBUSY) fail("io_uring_enter");
  if (done > 0) submitted += (unsigned)done;
}

static struct io_uring_sqe *prepare(enum operation operation, uint8_t code, int descriptor) {
  while (sq_local - __atomic_load_n(sq_head, __ATOMIC_ACQUIRE) > sq_mask) enter(0);
  struct io_uring_sqe *sqe = &sqes[sq_local++ & sq_mask];
  memset(sqe, 0, sizeof *sqe);
  sqe->opcode = code;
  sqe->fd = descriptor;
  sqe->user_data = (uint64_t)operation << 32 | (uint32_t)descriptor;
  return sqe;
}

static void start_accept(void) {
  struct io_uring_sqe *sqe = prepare(OP_ACCEPT, IORING_OP_ACCEPT, listener);
  sqe->ioprio = IORING_ACCEPT_MULTISHOT;
  sqe->accept_flags = SOCK_CLOEXEC;
  accepting = true;
}

static void start_receive(int descriptor) {
  struct io_uring_sqe *sqe = prepare(OP_RECEIVE, IORING_OP_RECV, descriptor);
  sqe->ioprio = IORING_RECV_MULTISHOT;
  sqe->flags = IOSQE_BUFFER_SELECT;
}

static void give_back(uint16_t buffer) {
  struct io_uring_buf *entry = &buffer_ring[buffer_tail++ & (buffers - 1)];
  entry->addr = (uintptr_t)(memory + (size_t)buffer * BUFFER_BYTES);
  entry->len = BUFFER_BYTES;
  entry->bid = buffer;
}

static void give_back_list(uint16_t *first) {
  while (*first != NONE) {
    uint16_t buffer = *first;
    *first = next_buffer[buffer];
    give_back(buffer);
  }
}

static void close_connection(int descriptor) {
  give_back_list(&connections[descriptor].waiting_first);
  prepare(OP_CLOSE, IORING_OP_CLOSE, descriptor);
}

static void submit_send(int descriptor) {
  struct connection *connection = &connections[descriptor];
  if (connection->message.msg_iovlen > 1) {
    struct io_uring_sqe *sqe = prepare(OP_SEND, IORING_OP_SENDMSG, descriptor);
    sqe->addr = (uintptr_t)&connection->message;
    sqe->msg_flags = MSG_WAITALL | MSG_NOSIGNAL;
  } else {
    struct io_uring_sqe *sqe = prepare(OP_SEND, IORING_OP_SEND, descriptor);
    sqe->addr = (uintptr_t)connection->message.msg_iov->iov_base;
    sqe->len = (uint32_t)connection->message.msg_iov->iov_len;
    sqe->msg_flags = MSG_WAITALL | MSG_NOSIGNAL;
  }
}

/* Sends what waits, or closes when the peer has ended and everything is sent. */
static void flush_connection(int descriptor) {
  struct connection *connection = &connections[descriptor];
  connection->queued = false;
  if (connection->sending_first != NONE) return;
  if (connection->waiting_first == NONE) {
    if (connection->ended) close_connection(descriptor);
    return;
  }
  uint16_t buffer = connection->waiting_first, last = buffer;
  size_t count = 0;
  connection->sending_first = buffer;
  while (buffer != NONE && count < GATHER_MAX) {
    connection->vectors[count].iov_base = memory + (size_t)buffer * BUFFER_BYTES;
    connection->vectors[count++].iov_len = filled[buffer];
    last = buffer;
    buffer = next_buffer[buffer];
  }
  next_buffer[last] = NONE;
  connection->waiting_first = buffer;
  connection->message = (struct msghdr){.msg_iov = connection->vectors, .msg_iovlen = count};
  submit_send(descriptor);
}

static void flush_later(int descriptor) {
  if (connections[descriptor].queued) return;
  connections[descriptor].queued = true;
  to_flush[to_flush_count++] = descriptor;
}

static void on_accept(const struct io_uring_cqe *cqe) {
  if (!(cqe->flags & IORING_CQE_F_MORE)) accepting = false;
  if (cqe->res >= CONNECTIONS_MAX) {
    prepare(OP_CLOSE, IORING_OP_CLOSE, cqe->res);
  } else if (cqe->res >= 0) {
    struct connection *connection = &connections[cqe->res];
    connection->sending_first = connection->waiting_first = NONE;
    connection->ended = connection->queued = false;
    start_receive(cqe->res);
  } else if (cqe->res == -EMFILE || cqe->res == -ENFILE) {
    return; /* goes on when a connection closes */
  } else if (cqe->res != -ECONNABORTED && cqe->res != -EAGAIN && cqe->res != -EINTR) {
    errno = -cqe->res;
    fail("accept");
  }
  if (!accepting) start_accept();
}

static void on_receive(int descriptor, const struct io_uring_cqe *cqe) {
  struct connection *connection = &connections[descriptor];
  if (cqe->flags & IORING_CQE_F_BUFFER) {
    uint16_t buffer = (uint16_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
    if (cqe->res <= 0) {
      give_back(buffer);
    } else {
      filled[buffer] = (uint32_t)cqe->res;
      next_buffer[buffer] = NONE;
      if (connection->waiting_first == NONE) connection->waiting_first = buffer;
      else next_buffer[connection->waiting_last] = buffer;
      connection->waiting_last = buffer;
    }
  }
  if (cqe->res == -ENOBUFS) {
    starved[starved_count++] = descriptor;
  } else if (cqe->res <= 0) {
    connection->ended = true;
  } else if (!(cqe->flags & IORING_CQE_F_MORE)) {
    start_receive(descriptor);
  }
  flush_later(descriptor);
}

static void on_send(int descriptor, int result) {
  struct connection *connection = &connections[descriptor];
  struct msghdr *message = &connection->message;
  if (result > 0) { /* a short send goes on where it stopped */
    size_t sent = (size_t)result;
    while (message->msg_iovlen > 0 && sent >= message->msg_iov->iov_len) {
      sent -= message->msg_iov->iov_len;
      message->msg_iov++;
      message->msg_iovlen--;
    }
    if (message->msg_iovlen > 0) {
      message->msg_iov->iov_base = (char *)message->msg_iov->iov_base + sent;
      message->msg_iov->iov_len -= sent;
      submit_send(descriptor);
      return;
    }
  }
  give_back_list(&connection->sending_first);
  if (result <= 0) { /* the receive reports the end of the connection */
    give_back_list(&connection->waiting_first);
    shutdown(descriptor, SHUT_RDWR);
  }
  if (connection->waiting_first != NONE || connection->ended) flush_later(descriptor);
}

static void on_completion(const struct io_uring_cqe *cqe) {
  int descriptor = (int)(uint32_t)cqe->user_data;
  switch ((enum operation)(cqe->user_data >> 32)) {
    case OP_ACCEPT: on_accept(cqe); break;
    case OP_RECEIVE: on_receive(descriptor, cqe); break;
    case OP_SEND: on_send(descriptor, cqe->res); break;
    case OP_CLOSE:
      if (!accepting) start_accept();
      break;
  }
}

static void *map(size_t length, off_t offset) {
  int flags = offset < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED | MAP_POPULATE;
  void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, flags, offset < 0 ? -1 : ring, offset < 0 ? 0 : offset);
  if (address == MAP_FAILED) fail("mmap");
  return address;
}

static void set_up_ring(void) {
  struct io_uring_params params = {
      .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
      .cq_entries = ENTRIES * 4,
  };
  ring = (int)syscall(SYS_io_uring_setup, ENTRIES, &params);
  if (ring < 0) fail("io_uring_setup");
  char *sq = map(params.sq_off.array + params.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
  char *cq = map(params.cq_off.cqes + params.cq_entries * sizeof *cqes, IORING_OFF_CQ_RING);
  sqes = map(params.sq_entries * sizeof *sqes, IORING_OFF_SQES);
  sq_head = (unsigned *)(sq + params.sq_off.head);
  sq_tail = (unsigned *)(sq + params.sq_off.tail);
  sq_mask = *(unsigned *)(sq + params.sq_off.ring_mask);
  cq_head = (unsigned *)(cq + params.cq_off.head);
  cq_tail = (unsigned *)(cq + params.cq_off.tail);
  cq_mask = *(unsigned *)(cq + params.cq_off.ring_mask);
  cqes = (struct io_uring_cqe *)(cq + params.cq_off.cqes);
  unsigned *indices = (unsigned *)(sq + params.sq_off.array);
  for (unsigned i = 0; i < params.sq_entries; i++) indices[i] = i;
}

static void set_up_buffers(uint16_t count) {
  buffers = count;
  memory = map((size_t)count * BUFFER_BYTES, -1);
  buffer_ring = map(count * sizeof *buffer_ring, -1);
  struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)buffer_ring, .ring_entries = count};
  if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_PBUF_RING, &registration, 1) < 0) fail("io_uring_register");
  for (uint16_t i = 0; i < count; i++) give_back(i);
}

/* A receive that found no buffer starts again once one has come back. */
static void resume_starved(uint16_t tail_before) {
  if (starved_count == 0 || buffer_tail == tail_before) return;
  for (unsigned i = 0; i < starved_count; i++) start_receive(starved[i]);
  starved_count = 0;
}

int main(int argc, char **argv) {
  long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1024;
  if (count < 8 || count > BUFFERS_MAX || (count & (count - 1)) != 0) {
    fprintf(stderr, "buffers: a power of two from 8 to %d\n", BUFFERS_MAX);
    return 2;
  }
  set_up_ring();
  set_up_buffers((uint16_t)count);
  listener = listen_on_loopback(0);
  start_accept();
  for (;;) {
    uint16_t tail_before = buffer_tail;
    __atomic_store_n(&buffer_ring[0].resv, buffer_tail, __ATOMIC_RELEASE);
    enter(1);
    unsigned head = *cq_head;
    unsigned tail = __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE);
    while (head != tail) on_completion(&cqes[head++ & cq_mask]);
    __atomic_store_n(cq_head, head, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < to_flush_count; i++) flush_connection(to_flush[i]);
    to_flush_count = 0;
    resume_starved(tail_before);
  }
}
