// Generated from protocol/protocol.mjs by scripts/generate-protocol.mjs. Do not edit.
#pragma once

#include <cstdint>

namespace iocp {

inline constexpr int kRecordWords = 8;
inline constexpr int kHeaderWords = 8;

enum class OpCode : std::uint8_t {
  None = 0,  // never submitted; fills unused records
  Accept = 1,  // multishot accept on a listening socket; each completion carries a new handle
  Connect = 2,  // connects the socket to the remote address given when it was opened
  Recv = 3,  // multishot receive into pool slots; result 0 is the end of the stream
  Send = 4,  // sends one or more segments, in order, whole
  Shutdown = 5,  // half-close; A is the direction
  Close = 6,  // cancels and joins what is in flight, then closes; with ABORT the peer is reset
  Cancel = 7,  // asks for an early end of the operation whose token it carries; completes nothing itself
  Post = 8,  // completes its own token with A as the result
  Provide = 9,  // gives pool slot A to the kernel for receives
  Unpin = 10,  // forgets the pinned memory with the number A
  Discard = 11,  // returns the pages of pool slot A to the system
  RecvFrom = 12,  // multishot receive of datagrams, each into a pool slot, behind a header
  SendTo = 13,  // sends datagrams, each of them whole or not at all
};
inline constexpr int kOpCodeCount = 14;

namespace submit_flag {
inline constexpr std::int32_t kAbort = 1;  // CLOSE: reset the peer instead of closing in order
}

namespace complete_flag {
inline constexpr std::int32_t kMore = 1;  // the operation goes on: more completions with this token will follow
inline constexpr std::int32_t kSlot = 2;  // VALUE is a pool slot that now belongs to JavaScript
inline constexpr std::int32_t kHandle = 4;  // VALUE and EXTRA are the index and generation of a new handle
}

namespace submission_header {
inline constexpr std::int32_t kCount = 0;  // records written and not yet drained; JavaScript adds, native code resets to 0
}

namespace completion_header {
inline constexpr std::int32_t kParked = 0;  // receives that wait for a buffer slot at the time of the batch
inline constexpr std::int32_t kKernelSlots = 1;  // slots provided to the kernel and not yet consumed
}

namespace submission_word {
inline constexpr std::int32_t kCode = 0;  // operation | flags << 8 | segments << 16
inline constexpr std::int32_t kToken = 1;  // index of the operation token
inline constexpr std::int32_t kTokenGeneration = 2;  // generation of the operation token
inline constexpr std::int32_t kHandle = 3;  // index of the handle
inline constexpr std::int32_t kHandleGeneration = 4;  // generation of the handle
inline constexpr std::int32_t kA = 5;  // SEND: pin number of the only segment, or -1 for the pool; else the argument
inline constexpr std::int32_t kB = 6;  // SEND: offset of the only segment
inline constexpr std::int32_t kC = 7;  // SEND: length of the only segment in bytes
}

namespace segment_word {
inline constexpr std::int32_t kPin = 0;  // pin number, or -1 for the pool
inline constexpr std::int32_t kOffset = 1;  // bytes from the start of the pool or of the pinned memory
inline constexpr std::int32_t kLength = 2;  // bytes
}

namespace outgoing_word {
inline constexpr std::int32_t kPin = 0;  // pin number, or -1 for the pool
inline constexpr std::int32_t kOffset = 1;  // bytes from the start of the pool or of the pinned memory
inline constexpr std::int32_t kLength = 2;  // bytes
inline constexpr std::int32_t kFamily = 3;  // family of the addresses: 4, 6, or 0 for the peer that the socket is connected to | flags << 8
inline constexpr std::int32_t kPort = 4;  // port of the peer
inline constexpr std::int32_t kScope = 5;  // interface of a link-local IPv6 address, or 0
inline constexpr std::int32_t kAddress = 6;  // address of the peer: four words
inline constexpr std::int32_t kSource = 10;  // with SOURCE: the address to send from, of the same family: four words; all zero for any
inline constexpr std::int32_t kInterface = 14;  // with SOURCE: the interface to send through, or 0 for any
inline constexpr std::int32_t kControl = 15;  // bytes of each datagram that the system is to cut this one into, or 0 | TOS << 16 | TTL << 24
}

namespace outgoing_flag {
inline constexpr std::int32_t kTos = 1;  // IP_TOS or IPV6_TCLASS for this datagram, ECN included
inline constexpr std::int32_t kTtl = 2;  // IP_TTL or IPV6_HOPLIMIT for this datagram
inline constexpr std::int32_t kSource = 4;  // SOURCE and INTERFACE are given
}

namespace incoming_word {
inline constexpr std::int32_t kFamily = 0;  // family of the addresses: 4, 6, or 0 when unknown | flags << 8
inline constexpr std::int32_t kPort = 1;  // port of the sender
inline constexpr std::int32_t kScope = 2;  // interface of a link-local IPv6 address, or 0
inline constexpr std::int32_t kAddress = 3;  // address of the sender: four words
inline constexpr std::int32_t kInterface = 7;  // with LOCAL: the interface it came in through
inline constexpr std::int32_t kLocal = 8;  // with LOCAL: the address it was sent to: four words
inline constexpr std::int32_t kTos = 12;  // with TOS: the type of service or traffic class, ECN included
inline constexpr std::int32_t kTtl = 13;  // with TTL: the time to live or hop limit
inline constexpr std::int32_t kSegmentBytes = 14;  // bytes of each of the datagrams in this slot, the last may be shorter; 0: it is one
}

namespace incoming_flag {
inline constexpr std::int32_t kTruncated = 1;  // it was longer than the slot: the rest is lost
inline constexpr std::int32_t kLocal = 2;  // LOCAL and INTERFACE are known
inline constexpr std::int32_t kTos = 4;  // TOS is known
inline constexpr std::int32_t kTtl = 8;  // TTL is known
}

namespace completion_word {
inline constexpr std::int32_t kCode = 0;  // operation | flags << 8
inline constexpr std::int32_t kToken = 1;  // index of the operation token
inline constexpr std::int32_t kTokenGeneration = 2;  // generation of the operation token
inline constexpr std::int32_t kResult = 3;  // bytes, datagrams taken by a SEND_TO, or 0; or a negative error number
inline constexpr std::int32_t kValue = 4;  // slot or handle index, as the flags say; SEND_TO with MORE: which datagram failed, from 0
inline constexpr std::int32_t kExtra = 5;  // handle generation
}

namespace shutdown_direction {
inline constexpr std::int32_t kRead = 0;  // no more receives
inline constexpr std::int32_t kWrite = 1;  // no more sends: the peer sees the end of the stream
inline constexpr std::int32_t kBoth = 2;  // both
}

namespace limit {
inline constexpr std::int32_t kSubmissionRecords = 4096;  // records the submission ring holds before it must be drained
inline constexpr std::int32_t kCompletionRecords = 1024;  // records of one batch
inline constexpr std::int32_t kSegmentsMax = 512;  // segments of one SEND
inline constexpr std::int32_t kDatagramsMax = 512;  // datagrams of one SEND_TO
inline constexpr std::int32_t kDatagramOffset = 256;  // bytes from the start of a slot to the datagram that RECV_FROM has received
inline constexpr std::int32_t kSlotsMax = 32768;  // slots of one pool, the most a kernel buffer ring takes
}

/// Error numbers, Linux's on every platform. Results carry them negated.
namespace error_number {
inline constexpr std::int32_t kEPERM = 1;  // operation not permitted
inline constexpr std::int32_t kENOENT = 2;  // no such file or directory
inline constexpr std::int32_t kEINTR = 4;  // interrupted system call
inline constexpr std::int32_t kEIO = 5;  // input/output error
inline constexpr std::int32_t kENXIO = 6;  // no such device or address
inline constexpr std::int32_t kEBADF = 9;  // bad file descriptor
inline constexpr std::int32_t kEAGAIN = 11;  // resource temporarily unavailable
inline constexpr std::int32_t kENOMEM = 12;  // not enough memory
inline constexpr std::int32_t kEACCES = 13;  // permission denied
inline constexpr std::int32_t kEFAULT = 14;  // bad address in system call argument
inline constexpr std::int32_t kEBUSY = 16;  // resource busy or locked
inline constexpr std::int32_t kEEXIST = 17;  // file already exists
inline constexpr std::int32_t kENODEV = 19;  // no such device
inline constexpr std::int32_t kENOTDIR = 20;  // not a directory
inline constexpr std::int32_t kEINVAL = 22;  // invalid argument
inline constexpr std::int32_t kENFILE = 23;  // file table overflow: the system has no descriptors left
inline constexpr std::int32_t kEMFILE = 24;  // too many open files: raise the descriptor limit (ulimit -n)
inline constexpr std::int32_t kENOSPC = 28;  // no space left on device
inline constexpr std::int32_t kEPIPE = 32;  // broken pipe: the peer has closed the connection
inline constexpr std::int32_t kENAMETOOLONG = 36;  // name too long
inline constexpr std::int32_t kENOSYS = 38;  // function not implemented by this kernel
inline constexpr std::int32_t kEPROTO = 71;  // protocol error
inline constexpr std::int32_t kEOVERFLOW = 75;  // value too large for defined data type
inline constexpr std::int32_t kENOTSOCK = 88;  // socket operation on non-socket
inline constexpr std::int32_t kEDESTADDRREQ = 89;  // destination address required
inline constexpr std::int32_t kEMSGSIZE = 90;  // message too long
inline constexpr std::int32_t kEPROTOTYPE = 91;  // protocol wrong type for socket
inline constexpr std::int32_t kENOPROTOOPT = 92;  // protocol not available
inline constexpr std::int32_t kEPROTONOSUPPORT = 93;  // protocol not supported
inline constexpr std::int32_t kEOPNOTSUPP = 95;  // operation not supported on socket
inline constexpr std::int32_t kEAFNOSUPPORT = 97;  // address family not supported
inline constexpr std::int32_t kEADDRINUSE = 98;  // address already in use: another socket listens there; choose another port or stop the other program
inline constexpr std::int32_t kEADDRNOTAVAIL = 99;  // address not available: no interface of this machine has it
inline constexpr std::int32_t kENETDOWN = 100;  // network is down
inline constexpr std::int32_t kENETUNREACH = 101;  // network is unreachable
inline constexpr std::int32_t kENETRESET = 102;  // connection dropped by network
inline constexpr std::int32_t kECONNABORTED = 103;  // connection aborted
inline constexpr std::int32_t kECONNRESET = 104;  // connection reset by peer
inline constexpr std::int32_t kENOBUFS = 105;  // no buffer space available
inline constexpr std::int32_t kEISCONN = 106;  // socket is already connected
inline constexpr std::int32_t kENOTCONN = 107;  // socket is not connected
inline constexpr std::int32_t kETIMEDOUT = 110;  // connection timed out
inline constexpr std::int32_t kECONNREFUSED = 111;  // connection refused: nothing listens at that address
inline constexpr std::int32_t kEHOSTDOWN = 112;  // host is down
inline constexpr std::int32_t kEHOSTUNREACH = 113;  // host is unreachable
inline constexpr std::int32_t kEALREADY = 114;  // operation already in progress
inline constexpr std::int32_t kEINPROGRESS = 115;  // operation in progress
inline constexpr std::int32_t kECANCELED = 125;  // operation canceled
}

/// The POSIX name of an error number, or "UNKNOWN".
[[nodiscard]] constexpr const char* error_name(std::int32_t number) noexcept {
  switch (number) {
    case 1:
      return "EPERM";
    case 2:
      return "ENOENT";
    case 4:
      return "EINTR";
    case 5:
      return "EIO";
    case 6:
      return "ENXIO";
    case 9:
      return "EBADF";
    case 11:
      return "EAGAIN";
    case 12:
      return "ENOMEM";
    case 13:
      return "EACCES";
    case 14:
      return "EFAULT";
    case 16:
      return "EBUSY";
    case 17:
      return "EEXIST";
    case 19:
      return "ENODEV";
    case 20:
      return "ENOTDIR";
    case 22:
      return "EINVAL";
    case 23:
      return "ENFILE";
    case 24:
      return "EMFILE";
    case 28:
      return "ENOSPC";
    case 32:
      return "EPIPE";
    case 36:
      return "ENAMETOOLONG";
    case 38:
      return "ENOSYS";
    case 71:
      return "EPROTO";
    case 75:
      return "EOVERFLOW";
    case 88:
      return "ENOTSOCK";
    case 89:
      return "EDESTADDRREQ";
    case 90:
      return "EMSGSIZE";
    case 91:
      return "EPROTOTYPE";
    case 92:
      return "ENOPROTOOPT";
    case 93:
      return "EPROTONOSUPPORT";
    case 95:
      return "EOPNOTSUPP";
    case 97:
      return "EAFNOSUPPORT";
    case 98:
      return "EADDRINUSE";
    case 99:
      return "EADDRNOTAVAIL";
    case 100:
      return "ENETDOWN";
    case 101:
      return "ENETUNREACH";
    case 102:
      return "ENETRESET";
    case 103:
      return "ECONNABORTED";
    case 104:
      return "ECONNRESET";
    case 105:
      return "ENOBUFS";
    case 106:
      return "EISCONN";
    case 107:
      return "ENOTCONN";
    case 110:
      return "ETIMEDOUT";
    case 111:
      return "ECONNREFUSED";
    case 112:
      return "EHOSTDOWN";
    case 113:
      return "EHOSTUNREACH";
    case 114:
      return "EALREADY";
    case 115:
      return "EINPROGRESS";
    case 125:
      return "ECANCELED";
    default:
      return "UNKNOWN";
  }
}

/// What an error number means, in words, or null when it is not one of ours.
[[nodiscard]] constexpr const char* error_text(std::int32_t number) noexcept {
  switch (number) {
    case 1:
      return "operation not permitted";
    case 2:
      return "no such file or directory";
    case 4:
      return "interrupted system call";
    case 5:
      return "input/output error";
    case 6:
      return "no such device or address";
    case 9:
      return "bad file descriptor";
    case 11:
      return "resource temporarily unavailable";
    case 12:
      return "not enough memory";
    case 13:
      return "permission denied";
    case 14:
      return "bad address in system call argument";
    case 16:
      return "resource busy or locked";
    case 17:
      return "file already exists";
    case 19:
      return "no such device";
    case 20:
      return "not a directory";
    case 22:
      return "invalid argument";
    case 23:
      return "file table overflow: the system has no descriptors left";
    case 24:
      return "too many open files: raise the descriptor limit (ulimit -n)";
    case 28:
      return "no space left on device";
    case 32:
      return "broken pipe: the peer has closed the connection";
    case 36:
      return "name too long";
    case 38:
      return "function not implemented by this kernel";
    case 71:
      return "protocol error";
    case 75:
      return "value too large for defined data type";
    case 88:
      return "socket operation on non-socket";
    case 89:
      return "destination address required";
    case 90:
      return "message too long";
    case 91:
      return "protocol wrong type for socket";
    case 92:
      return "protocol not available";
    case 93:
      return "protocol not supported";
    case 95:
      return "operation not supported on socket";
    case 97:
      return "address family not supported";
    case 98:
      return "address already in use: another socket listens there; choose another port or stop the other program";
    case 99:
      return "address not available: no interface of this machine has it";
    case 100:
      return "network is down";
    case 101:
      return "network is unreachable";
    case 102:
      return "connection dropped by network";
    case 103:
      return "connection aborted";
    case 104:
      return "connection reset by peer";
    case 105:
      return "no buffer space available";
    case 106:
      return "socket is already connected";
    case 107:
      return "socket is not connected";
    case 110:
      return "connection timed out";
    case 111:
      return "connection refused: nothing listens at that address";
    case 112:
      return "host is down";
    case 113:
      return "host is unreachable";
    case 114:
      return "operation already in progress";
    case 115:
      return "operation in progress";
    case 125:
      return "operation canceled";
    default:
      return nullptr;
  }
}

}  // namespace iocp
