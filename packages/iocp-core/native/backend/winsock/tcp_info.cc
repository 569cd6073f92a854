#include <winsock2.h>
#include <mstcpip.h>

#include <array>
#include <cstddef>

#include "backend/net/socket_options.h"

namespace iocp::net {
namespace {

/// The numbers that Linux has for the states of TCP, in the order of TCPSTATE.
constexpr std::array kStates = {
    7.0,   // CLOSED
    10.0,  // LISTEN
    2.0,   // SYN_SENT
    3.0,   // SYN_RCVD
    1.0,   // ESTABLISHED
    4.0,   // FIN_WAIT_1
    5.0,   // FIN_WAIT_2
    8.0,   // CLOSE_WAIT
    11.0,  // CLOSING
    9.0,   // LAST_ACK
    6.0,   // TIME_WAIT
};

double state_number(TCPSTATE state) noexcept {
  const auto index = static_cast<std::size_t>(state);
  return index < kStates.size() ? kStates[index] : 0.0;
}

double number(std::uint64_t value) noexcept { return static_cast<double>(value); }

}  // namespace

Result<std::vector<NamedNumber>> tcp_info(NativeHandle native) {
  DWORD version = 0;
  TCP_INFO_v0 info{};
  DWORD length = 0;
  if (::WSAIoctl(static_cast<SOCKET>(native), SIO_TCP_INFO, &version, sizeof version, &info, sizeof info,
                 &length, nullptr, nullptr) != 0) {
    return last_error("WSAIoctl");
  }
  return std::vector<NamedNumber>{
      {"state", state_number(info.State)},
      {"connectedMs", number(info.ConnectionTimeMs)},
      {"sendSegmentBytes", number(info.Mss)},
      {"roundTripMicroseconds", number(info.RttUs)},
      {"minRoundTripMicroseconds", number(info.MinRttUs)},
      {"inFlightBytes", number(info.BytesInFlight)},
      {"congestionWindowBytes", number(info.Cwnd)},
      {"sendWindowBytes", number(info.SndWnd)},
      {"receiveWindowBytes", number(info.RcvWnd)},
      {"receiveBufferBytes", number(info.RcvBuf)},
      {"sentBytes", number(info.BytesOut)},
      {"receivedBytes", number(info.BytesIn)},
      {"reorderedBytes", number(info.BytesReordered)},
      {"retransmittedBytes", number(info.BytesRetrans)},
      {"fastRetransmits", number(info.FastRetrans)},
      {"duplicateAcknowledgements", number(info.DupAcksIn)},
      {"timeoutEpisodes", number(info.TimeoutEpisodes)},
      {"synRetransmits", number(info.SynRetrans)},
  };
}

}  // namespace iocp::net
