#include "backend/posix/socket_options.h"

#include <netinet/in.h>
// tcp_info of the kernel's header has the newer fields; it cannot be included together with netinet/tcp.h.
#include <linux/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "core/protocol.gen.h"

namespace iocp::posix {
namespace {

/// One option. For IPv6 sockets there may be a second number at the level of IPv6.
struct OptionEntry {
  std::string_view name;
  int level;
  int option;
  OptionUnit unit;
  int ipv6_option = -1;
};

constexpr std::array kOptions = std::to_array<OptionEntry>({
    {"noDelay", IPPROTO_TCP, TCP_NODELAY, OptionUnit::Flag},
    {"cork", IPPROTO_TCP, TCP_CORK, OptionUnit::Flag},
    {"quickAck", IPPROTO_TCP, TCP_QUICKACK, OptionUnit::Flag},
    {"keepAlive", SOL_SOCKET, SO_KEEPALIVE, OptionUnit::Flag},
    {"keepAliveIdle", IPPROTO_TCP, TCP_KEEPIDLE, OptionUnit::Seconds},
    {"keepAliveInterval", IPPROTO_TCP, TCP_KEEPINTVL, OptionUnit::Seconds},
    {"keepAliveCount", IPPROTO_TCP, TCP_KEEPCNT, OptionUnit::Count},
    {"userTimeout", IPPROTO_TCP, TCP_USER_TIMEOUT, OptionUnit::Milliseconds},
    {"synCount", IPPROTO_TCP, TCP_SYNCNT, OptionUnit::Count},
    {"maxSegment", IPPROTO_TCP, TCP_MAXSEG, OptionUnit::Bytes},
    {"notSentLowWater", IPPROTO_TCP, TCP_NOTSENT_LOWAT, OptionUnit::Bytes},
    {"deferAccept", IPPROTO_TCP, TCP_DEFER_ACCEPT, OptionUnit::Seconds},
    {"fastOpen", IPPROTO_TCP, TCP_FASTOPEN, OptionUnit::Count},
    {"fastOpenConnect", IPPROTO_TCP, TCP_FASTOPEN_CONNECT, OptionUnit::Flag},
    {"congestion", IPPROTO_TCP, TCP_CONGESTION, OptionUnit::Text},
    {"receiveBuffer", SOL_SOCKET, SO_RCVBUF, OptionUnit::Bytes},
    {"sendBuffer", SOL_SOCKET, SO_SNDBUF, OptionUnit::Bytes},
    {"receiveLowWater", SOL_SOCKET, SO_RCVLOWAT, OptionUnit::Bytes},
    {"linger", SOL_SOCKET, SO_LINGER, OptionUnit::Linger},
    {"reuseAddress", SOL_SOCKET, SO_REUSEADDR, OptionUnit::Flag},
    {"reusePort", SOL_SOCKET, SO_REUSEPORT, OptionUnit::Flag},
    {"bindToDevice", SOL_SOCKET, SO_BINDTODEVICE, OptionUnit::Text},
    {"mark", SOL_SOCKET, SO_MARK, OptionUnit::Count},
    {"priority", SOL_SOCKET, SO_PRIORITY, OptionUnit::Count},
    {"busyPoll", SOL_SOCKET, SO_BUSY_POLL, OptionUnit::Count},
    {"incomingCpu", SOL_SOCKET, SO_INCOMING_CPU, OptionUnit::Count},
    {"tos", IPPROTO_IP, IP_TOS, OptionUnit::Count, IPV6_TCLASS},
    {"ttl", IPPROTO_IP, IP_TTL, OptionUnit::Count, IPV6_UNICAST_HOPS},
    {"ipv6Only", IPPROTO_IPV6, IPV6_V6ONLY, OptionUnit::Flag},
});

constexpr SystemError kUnknownOption{error_number::kEINVAL, "setsockopt"};

const OptionEntry* find_option(std::string_view name) noexcept {
  const auto found = std::find_if(kOptions.begin(), kOptions.end(),
                                  [name](const OptionEntry& entry) { return entry.name == name; });
  return found == kOptions.end() ? nullptr : &*found;
}

template <typename Value>
Status write_raw(int descriptor, int level, int option, const Value& value) noexcept {
  if (::setsockopt(descriptor, level, option, &value, sizeof value) != 0) return last_error("setsockopt");
  return std::monostate{};
}

template <typename Value>
Result<Value> read_raw(int descriptor, int level, int option) noexcept {
  Value value{};
  socklen_t length = sizeof value;
  if (::getsockopt(descriptor, level, option, &value, &length) != 0) return last_error("getsockopt");
  return value;
}

bool is_ipv6(int descriptor) noexcept {
  const Result<int> domain = read_raw<int>(descriptor, SOL_SOCKET, SO_DOMAIN);
  return domain && domain.value() == AF_INET6;
}

Result<OptionValue> read_text(int descriptor, const OptionEntry& entry) {
  std::array<char, 64> text{};
  auto length = static_cast<socklen_t>(text.size());
  if (::getsockopt(descriptor, entry.level, entry.option, text.data(), &length) != 0) {
    return last_error("getsockopt");
  }
  return OptionValue(std::string(text.data(), ::strnlen(text.data(), length)));
}

Result<OptionValue> read_linger(int descriptor) {
  const Result<linger> read = read_raw<linger>(descriptor, SOL_SOCKET, SO_LINGER);
  if (!read) return read.error();
  return OptionValue(read.value().l_onoff == 0 ? std::int32_t{-1} : std::int32_t{read.value().l_linger});
}

Status write_text(int descriptor, const OptionEntry& entry, const std::string& text) noexcept {
  const auto length = static_cast<socklen_t>(text.size());
  if (::setsockopt(descriptor, entry.level, entry.option, text.data(), length) != 0) {
    return last_error("setsockopt");
  }
  return std::monostate{};
}

Status write_linger(int descriptor, std::int32_t seconds) noexcept {
  const linger value{.l_onoff = seconds < 0 ? 0 : 1, .l_linger = std::max(seconds, 0)};
  return write_raw(descriptor, SOL_SOCKET, SO_LINGER, value);
}

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

std::vector<std::string_view> option_names() {
  std::vector<std::string_view> names;
  names.reserve(kOptions.size());
  for (const OptionEntry& entry : kOptions) names.push_back(entry.name);
  return names;
}

Result<OptionValue> get_option(NativeHandle native, std::string_view name) {
  const auto descriptor = static_cast<int>(native);
  const OptionEntry* const entry = find_option(name);
  if (entry == nullptr) return kUnknownOption;
  if (entry->unit == OptionUnit::Text) return read_text(descriptor, *entry);
  if (entry->unit == OptionUnit::Linger) return read_linger(descriptor);
  const bool second = entry->ipv6_option >= 0 && is_ipv6(descriptor);
  const Result<int> read = read_raw<int>(descriptor, second ? IPPROTO_IPV6 : entry->level,
                                         second ? entry->ipv6_option : entry->option);
  if (!read) return read.error();
  return OptionValue(std::int32_t{read.value()});
}

Status set_option(NativeHandle native, std::string_view name, const OptionValue& value) {
  const auto descriptor = static_cast<int>(native);
  const OptionEntry* const entry = find_option(name);
  if (entry == nullptr || (entry->unit == OptionUnit::Text) != (value.index() == 1)) return kUnknownOption;
  if (const std::string* const text = std::get_if<std::string>(&value)) {
    return write_text(descriptor, *entry, *text);
  }
  const int number = *std::get_if<std::int32_t>(&value);
  if (entry->unit == OptionUnit::Linger) return write_linger(descriptor, number);
  if (entry->ipv6_option >= 0 && is_ipv6(descriptor)) {
    const Status set = write_raw(descriptor, IPPROTO_IPV6, entry->ipv6_option, number);
    if (!set) return set;
  }
  return write_raw(descriptor, entry->level, entry->option, number);
}

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

}  // namespace iocp::posix
