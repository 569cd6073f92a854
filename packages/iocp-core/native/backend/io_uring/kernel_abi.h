#pragma once

#include <cstdint>

/// Parts of the kernel's interface (io_uring_setup(2), io_uring_enter(2), io_uring_register(2)) that the headers of
/// older distributions lack, so that a source build needs no newer header than the one it finds.
namespace iocp::uring::abi {

inline constexpr unsigned kSetupCqSize = 1U << 3;
inline constexpr unsigned kSetupClamp = 1U << 4;
inline constexpr unsigned kSetupSubmitAll = 1U << 7;
inline constexpr unsigned kSetupTaskrunFlag = 1U << 9;
inline constexpr unsigned kSetupSingleIssuer = 1U << 12;
inline constexpr unsigned kSetupDeferTaskrun = 1U << 13;

inline constexpr unsigned kSqCqOverflow = 1U << 1;
inline constexpr unsigned kSqTaskrun = 1U << 2;
inline constexpr unsigned kCqEventfdDisabled = 1U << 0;

inline constexpr unsigned kCompletionBuffer = 1U << 0;
inline constexpr unsigned kCompletionMore = 1U << 1;
inline constexpr unsigned kCompletionSocketNonEmpty = 1U << 2;
inline constexpr unsigned kCompletionBufferShift = 16;

inline constexpr std::uint8_t kEntryBufferSelect = 1U << 5;
inline constexpr std::uint8_t kEntrySkipSuccess = 1U << 6;
inline constexpr std::uint16_t kAcceptMultishot = 1U << 0;
inline constexpr std::uint16_t kRecvMultishot = 1U << 1;

inline constexpr unsigned kRegisterPbufRing = 22;

/// struct io_uring_buf. The ring is an array of these; the tail counter lies in `reserved` of the first.
struct Buffer {
  std::uint64_t address;
  std::uint32_t length;
  std::uint16_t id;
  std::uint16_t reserved;
};
static_assert(sizeof(Buffer) == 16);

/// struct io_uring_buf_reg.
struct BufferRegistration {
  std::uint64_t ring_address;
  std::uint32_t ring_entries;
  std::uint16_t group;
  std::uint16_t flags;
  std::uint64_t reserved[3];
};
static_assert(sizeof(BufferRegistration) == 40);

/// struct io_uring_recvmsg_out: what a multishot recvmsg writes before the address of the sender.
struct ReceivedMessage {
  std::uint32_t name_length;
  std::uint32_t control_length;
  std::uint32_t payload_length;
  std::uint32_t flags;
};
static_assert(sizeof(ReceivedMessage) == 16);

}  // namespace iocp::uring::abi
