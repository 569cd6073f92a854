#include "backend/io_uring/ring.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "backend/io_uring/kernel_abi.h"

namespace iocp::uring {

namespace {

constexpr unsigned kCompletionsPerEntry = 8;

int io_uring_setup(unsigned entries, io_uring_params* parameters) noexcept {
  return static_cast<int>(syscall(__NR_io_uring_setup, entries, parameters));
}

int io_uring_register(int descriptor, unsigned code, void* argument, unsigned count) noexcept {
  return static_cast<int>(syscall(__NR_io_uring_register, descriptor, code, argument, count));
}

unsigned load_acquire(const unsigned* word) noexcept { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
void store_release(unsigned* word, unsigned value) noexcept {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : address_(std::exchange(other.address_, nullptr)), length_(std::exchange(other.length_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    unmap();
    address_ = std::exchange(other.address_, nullptr);
    length_ = std::exchange(other.length_, 0);
  }
  return *this;
}

Mapping::~Mapping() { unmap(); }

void Mapping::unmap() noexcept {
  if (address_ != nullptr) munmap(address_, length_);
}

int Mapping::map(std::size_t length, int descriptor, std::uint64_t offset) noexcept {
  const int flags = descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED | MAP_POPULATE;
  void* address =
      mmap(nullptr, length, PROT_READ | PROT_WRITE, flags, descriptor, static_cast<off_t>(offset));
  if (address == MAP_FAILED) return errno;
  unmap();
  address_ = address;
  length_ = length;
  // A forked child that shared the ring could corrupt it.
  return madvise(address, length, MADV_DONTFORK) == 0 ? 0 : errno;
}

std::optional<Ring> Ring::make(unsigned entries, RingError& error) {
  Ring ring;
  io_uring_params& parameters = ring.parameters_;
  parameters.flags = abi::kSetupClamp | abi::kSetupCqSize | abi::kSetupSubmitAll | abi::kSetupTaskrunFlag |
                     abi::kSetupSingleIssuer | abi::kSetupDeferTaskrun;
  parameters.cq_entries = entries * kCompletionsPerEntry;
  const int descriptor = io_uring_setup(entries, &parameters);
  if (descriptor < 0) {
    error = {errno, "io_uring_setup"};
    return std::nullopt;
  }
  ring.descriptor_ = posix::Descriptor(descriptor);
  if ((parameters.features & IORING_FEAT_NODROP) == 0) {
    error = {EINVAL, "io_uring_setup"};
    return std::nullopt;
  }
  if (const int failed = ring.map(); failed != 0) {
    error = {failed, "mmap"};
    return std::nullopt;
  }
  if (const int failed = ring.probe(); failed != 0) {
    error = {failed, "io_uring_register"};
    return std::nullopt;
  }
  return ring;
}

int Ring::map() noexcept {
  const io_sqring_offsets& sq = parameters_.sq_off;
  const io_cqring_offsets& cq = parameters_.cq_off;
  const int descriptor = descriptor_.get();
  const std::size_t sq_bytes = sq.array + parameters_.sq_entries * sizeof(unsigned);
  const std::size_t cq_bytes = cq.cqes + parameters_.cq_entries * sizeof(io_uring_cqe);
  if (const int error = submission_.map(sq_bytes, descriptor, IORING_OFF_SQ_RING); error != 0) return error;
  if (const int error = completion_.map(cq_bytes, descriptor, IORING_OFF_CQ_RING); error != 0) return error;
  if (const int error =
          entries_.map(parameters_.sq_entries * sizeof(io_uring_sqe), descriptor, IORING_OFF_SQES);
      error != 0) {
    return error;
  }
  sq_head_ = submission_.at<unsigned>(sq.head);
  sq_tail_ = submission_.at<unsigned>(sq.tail);
  sq_flags_ = submission_.at<unsigned>(sq.flags);
  sq_mask_ = *submission_.at<unsigned>(sq.ring_mask);
  cq_head_ = completion_.at<unsigned>(cq.head);
  cq_tail_ = completion_.at<unsigned>(cq.tail);
  cq_flags_ = completion_.at<unsigned>(cq.flags);
  cq_mask_ = *completion_.at<unsigned>(cq.ring_mask);
  cqes_ = completion_.at<io_uring_cqe>(cq.cqes);
  sqes_ = entries_.at<io_uring_sqe>(0);
  // Entries are used in order, so the indirection array never changes.
  auto* array = submission_.at<unsigned>(sq.array);
  for (unsigned i = 0; i < parameters_.sq_entries; ++i) array[i] = i;
  tail_ = submitted_ = *sq_tail_;
  return 0;
}

int Ring::probe() noexcept {
  constexpr unsigned kCodes = 256;
  alignas(io_uring_probe) std::byte storage[sizeof(io_uring_probe) + kCodes * sizeof(io_uring_probe_op)] = {};
  auto* probe = reinterpret_cast<io_uring_probe*>(storage);
  if (io_uring_register(descriptor_.get(), IORING_REGISTER_PROBE, probe, kCodes) < 0) return errno;
  const auto* codes = reinterpret_cast<const io_uring_probe_op*>(storage + sizeof(io_uring_probe));
  for (unsigned i = 0; i < probe->ops_len && i < kCodes; ++i) {
    if ((codes[i].flags & IO_URING_OP_SUPPORTED) != 0)
      supported_[codes[i].op / 64] |= 1ULL << (codes[i].op % 64);
  }
  return 0;
}

bool Ring::supports(std::uint8_t opcode) const noexcept {
  return (supported_[opcode / 64] >> (opcode % 64) & 1U) != 0;
}

io_uring_sqe* Ring::next_entry() noexcept {
  if (tail_ - load_acquire(sq_head_) >= parameters_.sq_entries) return nullptr;
  io_uring_sqe* entry = &sqes_[tail_ & sq_mask_];
  std::memset(entry, 0, sizeof(*entry));
  ++tail_;
  return entry;
}

int Ring::enter() noexcept {
  store_release(sq_tail_, tail_);
  for (;;) {
    ++system_calls_;
    const long result = syscall(__NR_io_uring_enter, descriptor_.get(), tail_ - submitted_, 0,
                                IORING_ENTER_GETEVENTS, nullptr, 0);
    if (result >= 0) {
      submitted_ += static_cast<unsigned>(result);
      return 0;
    }
    if (errno != EINTR) return errno;
  }
}

const io_uring_cqe* Ring::peek() const noexcept {
  const unsigned head = *cq_head_;
  return head == load_acquire(cq_tail_) ? nullptr : &cqes_[head & cq_mask_];
}

void Ring::advance() noexcept { store_release(cq_head_, *cq_head_ + 1); }

bool Ring::work_waits() const noexcept {
  return (__atomic_load_n(sq_flags_, __ATOMIC_RELAXED) & (abi::kSqTaskrun | abi::kSqCqOverflow)) != 0;
}

bool Ring::overflowed() const noexcept {
  return (__atomic_load_n(sq_flags_, __ATOMIC_RELAXED) & abi::kSqCqOverflow) != 0;
}

void Ring::set_signalling(bool on) noexcept {
  // Only this side writes the flag word. A full fence: what is read afterwards must not be older than the switch.
  __atomic_store_n(cq_flags_, on ? 0U : abi::kCqEventfdDisabled, __ATOMIC_SEQ_CST);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

int Ring::register_eventfd(int descriptor) noexcept {
  return io_uring_register(descriptor_.get(), IORING_REGISTER_EVENTFD, &descriptor, 1) < 0 ? errno : 0;
}

int Ring::register_buffers(void* ring, unsigned entries, unsigned group) noexcept {
  abi::BufferRegistration registration{};
  registration.ring_address = reinterpret_cast<std::uint64_t>(ring);
  registration.ring_entries = entries;
  registration.group = static_cast<std::uint16_t>(group);
  return io_uring_register(descriptor_.get(), abi::kRegisterPbufRing, &registration, 1) < 0 ? errno : 0;
}

}  // namespace iocp::uring
