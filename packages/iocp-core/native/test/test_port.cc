#include "test/test_port.h"

#include <array>
#include <chrono>
#include <cstring>
#include <utility>

#include "backend/net/address.h"
#include "backend/net/system_text.h"
#include "backend/net/socket_factory.h"
#include "test/harness.h"
#include "test/os.h"

namespace iocp::test {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kRecordsPerTurn = 64;
constexpr auto kPatience = std::chrono::seconds(20);
constexpr int kMissedMax = 4;
constexpr int kPollMs = 1;  // peers are driven by the predicates of run_until

using Record = std::array<std::int32_t, kRecordWords>;

std::uint64_t key_of(Token token) noexcept { return (std::uint64_t{token.generation} << 32) | token.index; }

std::int32_t code_word(OpCode code, std::int32_t flags, std::size_t segments) noexcept {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(code) |
                                   (static_cast<std::uint32_t>(flags) << 8) |
                                   (static_cast<std::uint32_t>(segments) << 16));
}

Record make_record(OpCode code, Token token, HandleRef handle) noexcept {
  Record record{};
  record[submission_word::kCode] = code_word(code, 0, 0);
  record[submission_word::kToken] = static_cast<std::int32_t>(token.index);
  record[submission_word::kTokenGeneration] = static_cast<std::int32_t>(token.generation);
  record[submission_word::kHandle] = static_cast<std::int32_t>(handle.index);
  record[submission_word::kHandleGeneration] = static_cast<std::int32_t>(handle.generation);
  return record;
}

void write_segment(std::int32_t* words, const Segment& segment) noexcept {
  words[segment_word::kPin] = segment.pin;
  words[segment_word::kOffset] = segment.offset;
  words[segment_word::kLength] = segment.length;
}

template <typename T>
T value_of(net::Result<T> result) {
  if (!result) fail(std::string(result.error().syscall) + ": " + net::describe(result.error().error));
  return std::move(result).value();
}

}  // namespace

TestPort::TestPort(const Backend& backend, PortShape shape)
    : shape_(shape), storage_(new std::byte[std::size_t{shape.slots} * shape.slot_bytes + kPage]) {
  const auto address = reinterpret_cast<std::uintptr_t>(storage_.get());
  const std::size_t skipped = (kPage - address % kPage) % kPage;
  slots_ = std::make_unique<BufferSlots>(storage_.get() + skipped, shape.slot_bytes, shape.slots);
  std::unique_ptr<Driver> driver = backend.make(*slots_);
  check(driver != nullptr, "the driver starts");
  engine_ = std::make_unique<Engine>(std::move(driver), system_, *slots_);
  engine_->driver().notify_with([this] { bell_.ring(); });
  for (std::uint32_t slot = 0; slot < shape.provided; ++slot) provide(slot);
}

TestPort::~TestPort() = default;

HandleRef TestPort::adopt(net::OwnedSocket socket, std::unique_ptr<AddressBytes> remote, SocketKind kind) {
  HandleRef handle;
  check_equal(engine_->adopt(socket.native(), std::move(remote), handle, kind), 0, "the result of adopt");
  static_cast<void>(socket.release());
  return handle;
}

HandleRef TestPort::listen(const std::string& path, int backlog) {
  net::ListenSpec spec;
  if (path.empty()) {
    spec.local.host = "127.0.0.1";
  } else {
    spec.local.path = path;
  }
  spec.backlog = backlog;
  return adopt(value_of(net::open_listener(spec)));
}

AddressBytes TestPort::address_of(HandleRef handle) {
  const Handle* const found = engine_->find(handle);
  check(found != nullptr, "the handle is open");
  return value_of(net::local_address(found->native));
}

HandleRef TestPort::open_to(HandleRef listener) {
  const Handle* const found = engine_->find(listener);
  check(found != nullptr, "the listener is open");
  return open_to(found->native);
}

HandleRef TestPort::open_to(NativeHandle listener) {
  const net::SocketAddress address = value_of(net::from_bytes(value_of(net::local_address(listener))));
  net::OpenSpec spec;
  spec.remote = {address.host, address.port, address.path};
  net::OpenedSocket opened = value_of(net::open_socket(spec));
  return adopt(std::move(opened.socket), std::move(opened.remote));
}

HandleRef TestPort::open_datagram(const net::DatagramSpec& spec) {
  return adopt(value_of(net::open_datagram(spec)), nullptr,
               spec.family == net::Family::Ipv6 ? SocketKind::DatagramIpv6 : SocketKind::DatagramIpv4);
}

Token TestPort::make_token(OpCode code) {
  std::uint32_t index = 0;
  if (free_tokens_.empty()) {
    index = static_cast<std::uint32_t>(generations_.size());
    generations_.push_back(0);
  } else {
    index = free_tokens_.back();
    free_tokens_.pop_back();
  }
  const Token token{index, ++generations_[index]};
  outcomes_[key_of(token)].code = code;
  return token;
}

Token TestPort::submit(OpCode code, HandleRef handle, std::int32_t argument, std::int32_t flags) {
  const Token token = make_token(code);
  Record record = make_record(code, token, handle);
  record[submission_word::kCode] = code_word(code, flags, 0);
  record[submission_word::kA] = argument;
  engine_->submit(record.data(), 1);
  return token;
}

Token TestPort::send(HandleRef handle, std::string_view text) {
  const Segment segment = pin(std::string(text));
  return send(handle, {&segment, 1});
}

Token TestPort::send(HandleRef handle, std::span<const Segment> segments) {
  const Token token = make_token(OpCode::Send);
  const std::size_t extra = segments.size() > 1 ? (segments.size() + 1) / 2 : 0;
  const Record head = make_record(OpCode::Send, token, handle);
  std::vector<std::int32_t> words(head.begin(), head.end());
  words.resize((1 + extra) * kRecordWords);
  words[submission_word::kCode] = code_word(OpCode::Send, 0, segments.size());
  if (segments.size() == 1) write_segment(&words[submission_word::kA], segments.front());
  for (std::size_t i = 0; segments.size() > 1 && i < segments.size(); ++i) {
    write_segment(&words[kRecordWords + i * (kRecordWords / 2)], segments[i]);
  }
  engine_->submit(words.data(), static_cast<std::int32_t>(1 + extra));
  return token;
}

Token TestPort::send_to(HandleRef handle, std::span<const OutgoingWords> datagrams) {
  const Token token = make_token(OpCode::SendTo);
  const Record head = make_record(OpCode::SendTo, token, handle);
  std::vector<std::int32_t> words(head.begin(), head.end());
  words[submission_word::kCode] = code_word(OpCode::SendTo, 0, datagrams.size());
  for (const OutgoingWords& datagram : datagrams) {
    words.insert(words.end(), datagram.begin(), datagram.end());
  }
  engine_->submit(words.data(), static_cast<std::int32_t>(words.size() / kRecordWords));
  return token;
}

Token TestPort::shutdown(HandleRef handle, std::int32_t direction) {
  return submit(OpCode::Shutdown, handle, direction);
}

Token TestPort::close(HandleRef handle, bool abort) {
  return submit(OpCode::Close, handle, 0, abort ? submit_flag::kAbort : 0);
}

Token TestPort::post(std::int32_t value) { return submit(OpCode::Post, {}, value); }

void TestPort::cancel(Token token) {
  const Record record = make_record(OpCode::Cancel, token, {});
  engine_->submit(record.data(), 1);
}

void TestPort::provide(std::uint32_t slot) { submit_plain(OpCode::Provide, static_cast<std::int32_t>(slot)); }

void TestPort::submit_plain(OpCode code, std::int32_t argument) {
  Record record = make_record(code, {}, {});
  record[submission_word::kA] = argument;
  engine_->submit(record.data(), 1);
}

void TestPort::submit_raw(std::span<const std::int32_t> records) {
  engine_->submit(records.data(), static_cast<std::int32_t>(records.size() / kRecordWords));
}

Segment TestPort::pin(std::string text) {
  pinned_.push_back(std::make_unique<std::string>(std::move(text)));
  std::string& kept = *pinned_.back();
  const std::int32_t number = engine_->pin(reinterpret_cast<std::byte*>(kept.data()), kept.size());
  return {number, 0, static_cast<std::int32_t>(kept.size())};
}

const Outcome& TestPort::outcome(Token token) const { return outcomes_.at(key_of(token)); }

std::size_t TestPort::turn() {
  engine_->flush();
  std::array<std::int32_t, kRecordsPerTurn * kRecordWords> records{};
  const std::size_t count = engine_->collect(records.data(), kRecordsPerTurn);
  for (std::size_t i = 0; i < count; ++i) dispatch(records.data() + i * kRecordWords);
  return count;
}

void TestPort::dispatch(const std::int32_t* record) {
  const auto code = static_cast<std::uint32_t>(record[completion_word::kCode]);
  const Completion completion{static_cast<OpCode>(code & 0xff), static_cast<std::int32_t>(code >> 8),
                              record[completion_word::kResult], record[completion_word::kValue],
                              record[completion_word::kExtra]};
  const Token token{static_cast<std::uint32_t>(record[completion_word::kToken]),
                    static_cast<std::uint32_t>(record[completion_word::kTokenGeneration])};
  const auto found = outcomes_.find(key_of(token));
  check(found != outcomes_.end(), "a completion names a token that was submitted");
  Outcome& outcome = found->second;
  check(!outcome.settled, "an operation settles once, and nothing follows");
  check_equal(completion.code, outcome.code, "the operation code of a completion");
  outcome.events.push_back(completion);
  receive(outcome, completion);
  if ((completion.flags & complete_flag::kHandle) != 0) {
    outcome.accepted.push_back(
        {static_cast<std::uint32_t>(completion.value), static_cast<std::uint32_t>(completion.extra)});
  }
  if (completion.more()) return;
  outcome.settled = true;
  outcome.result = completion.result;
  outcome.settled_at = ++settlements_;
  free_tokens_.push_back(token.index);
}

void TestPort::receive(Outcome& outcome, const Completion& completion) {
  if ((completion.flags & complete_flag::kSlot) == 0) {
    check((completion.code != OpCode::Recv && completion.code != OpCode::RecvFrom) || completion.result <= 0,
          "received bytes come in a slot");
    return;
  }
  const auto slot = static_cast<std::uint32_t>(completion.value);
  if (completion.code == OpCode::RecvFrom && completion.result >= 0) {
    ReceivedDatagram& datagram = outcome.datagrams.emplace_back();
    std::memcpy(datagram.words.data(), slots_->address(slot), sizeof datagram.words);
    datagram.data.assign(reinterpret_cast<const char*>(slots_->address(slot)) + limit::kDatagramOffset,
                         static_cast<std::size_t>(completion.result));
  } else if (completion.result > 0) {
    outcome.data.append(reinterpret_cast<const char*>(slots_->address(slot)),
                        static_cast<std::size_t>(completion.result));
  }
  // What is read later from a slot that was given back must not look like data.
  std::memset(slots_->address(slot), 0xdd, shape_.slot_bytes);
  if (shape_.give_back) {
    provide(slot);
  } else {
    kept_slots_.push_back(completion.value);
  }
}

void TestPort::run_until(const std::function<bool()>& done, std::string_view what,
                         const std::source_location& where) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  bool slept = false;  // and nothing has woken us
  int missed = 0;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) fail("waited in vain: " + std::string(what), where);
    const std::size_t count = turn();
    // Once may be chance: something came after the poll had timed out.
    missed += slept && count > 0 ? 1 : 0;
    check(missed < kMissedMax, "the wait descriptor says when there is something to reap", where);
    slept = false;
    if (count > 0) continue;
    engine_->flush();
    if (!engine_->prepare_wait()) continue;
    slept = !wait_for_signal(kPollMs);
    if (!slept) engine_->driver().acknowledge();
  }
}

bool TestPort::wait_for_signal(int milliseconds) {
  const int descriptor = engine_->driver().wait_descriptor();
  return descriptor == Driver::kNoDescriptor ? bell_.wait(milliseconds)
                                             : os::wait_readable(descriptor, milliseconds);
}

std::int32_t TestPort::finish(Token token, const std::source_location& where) {
  run_until([&] { return settled(token); }, "an operation settles", where);
  return outcome(token).result;
}

void TestPort::settle_down() {
  int idle = 0;
  run_until([&] { return turn() > 0 ? (idle = 0, false) : ++idle > 8; }, "the port has nothing to do");
}

HandleRef TestPort::next_accepted(Token accept, std::size_t number) {
  run_until([&] { return outcome(accept).accepted.size() > number || settled(accept); },
            "a connection is accepted");
  check(outcome(accept).accepted.size() > number, "the accept goes on");
  return outcome(accept).accepted[number];
}

void TestPort::close_engine() {
  engine_->close();
  while (turn() > 0) {
  }
}

}  // namespace iocp::test
