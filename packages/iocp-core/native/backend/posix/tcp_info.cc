#include <netinet/in.h>
// tcp_info of the kernel's header has the newer fields; it cannot be included together with netinet/tcp.h.
#include <linux/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "backend/net/socket_options.h"

namespace iocp::net {
namespace {

struct InfoField {
  const char* name;
  std::size_t offset;
  std::size_t size;
};

#define IOCP_FIELD(name, field) \
  InfoField { name, offsetof(::tcp_info, field), sizeof(::tcp_info::field) }

constexpr std::array kInfoFields = {
    IOCP_FIELD("state", tcpi_state),
    IOCP_FIELD("retransmits", tcpi_retransmits),
    IOCP_FIELD("probes", tcpi_probes),
    IOCP_FIELD("retransmitTimeoutMicroseconds", tcpi_rto),
    IOCP_FIELD("sendSegmentBytes", tcpi_snd_mss),
    IOCP_FIELD("receiveSegmentBytes", tcpi_rcv_mss),
    IOCP_FIELD("unacknowledgedSegments", tcpi_unacked),
    IOCP_FIELD("lostSegments", tcpi_lost),
    IOCP_FIELD("lastDataSentMs", tcpi_last_data_sent),
    IOCP_FIELD("lastDataReceivedMs", tcpi_last_data_recv),
    IOCP_FIELD("pathMtuBytes", tcpi_pmtu),
    IOCP_FIELD("roundTripMicroseconds", tcpi_rtt),
    IOCP_FIELD("roundTripVariationMicroseconds", tcpi_rttvar),
    IOCP_FIELD("slowStartThresholdSegments", tcpi_snd_ssthresh),
    IOCP_FIELD("congestionWindowSegments", tcpi_snd_cwnd),
    IOCP_FIELD("totalRetransmits", tcpi_total_retrans),
    IOCP_FIELD("pacingBytesPerSecond", tcpi_pacing_rate),
    IOCP_FIELD("acknowledgedBytes", tcpi_bytes_acked),
    IOCP_FIELD("receivedBytes", tcpi_bytes_received),
    IOCP_FIELD("segmentsOut", tcpi_segs_out),
    IOCP_FIELD("segmentsIn", tcpi_segs_in),
    IOCP_FIELD("notSentBytes", tcpi_notsent_bytes),
    IOCP_FIELD("minRoundTripMicroseconds", tcpi_min_rtt),
    IOCP_FIELD("deliveryBytesPerSecond", tcpi_delivery_rate),
    IOCP_FIELD("sentBytes", tcpi_bytes_sent),
    IOCP_FIELD("retransmittedBytes", tcpi_bytes_retrans),
};

#undef IOCP_FIELD

template <typename Number>
double number_at(std::span<const std::byte> bytes) noexcept {
  Number number{};
  std::memcpy(&number, bytes.data(), sizeof number);
  return static_cast<double>(number);
}

double field_value(std::span<const std::byte> bytes) noexcept {
  switch (bytes.size()) {
    case 1: return number_at<std::uint8_t>(bytes);
    case 4: return number_at<std::uint32_t>(bytes);
    default: return number_at<std::uint64_t>(bytes);
  }
}

}  // namespace

Result<std::vector<NamedNumber>> tcp_info(NativeHandle native) {
  ::tcp_info raw{};
  socklen_t length = sizeof raw;
  if (::getsockopt(static_cast<int>(native), IPPROTO_TCP, TCP_INFO, &raw, &length) != 0) {
    return last_error("getsockopt");
  }
  const auto bytes = std::as_bytes(std::span(&raw, 1)).first(std::min<std::size_t>(length, sizeof raw));
  std::vector<NamedNumber> fields;
  fields.reserve(kInfoFields.size());
  for (const InfoField& field : kInfoFields) {
    if (field.offset + field.size > bytes.size()) continue;
    fields.emplace_back(field.name, field_value(bytes.subspan(field.offset, field.size)));
  }
  return fields;
}

}  // namespace iocp::net
