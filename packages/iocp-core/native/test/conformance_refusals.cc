#include <array>
#include <limits>
#include <string>

#include "test/conformance.h"
#include "test/harness.h"
#include "test/peer.h"
#include "test/test_port.h"

namespace iocp::test {
namespace {

void a_stale_handle_is_refused(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  check_equal(port.finish(port.close(pair.handle)), 0, "the result of the close");
  check(port.engine().find(pair.handle) == nullptr, "the handle is gone");
  const Pair next = make_pair(port);  // may live in the same place
  constexpr std::int32_t kBadHandle = -error_number::kEBADF;
  check_equal(port.finish(port.recv(pair.handle)), kBadHandle, "a receive");
  check_equal(port.finish(port.send(pair.handle, "x")), kBadHandle, "a send");
  check_equal(port.finish(port.close(pair.handle)), kBadHandle, "a close");
  check_equal(port.finish(port.recv({1000000, 0})), kBadHandle, "a receive on a handle that never was");
  check(port.engine().find(next.handle) != nullptr, "the new handle is open");
}

void a_closing_handle_takes_nothing_more(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  const Token closed = port.close(pair.handle);
  const Token late = port.recv(pair.handle);
  const Token again = port.close(pair.handle);
  check_equal(port.finish(late), -error_number::kECANCELED, "a receive after the close");
  check_equal(port.finish(again), -error_number::kECANCELED, "a second close");
  check_equal(port.finish(closed), 0, "the result of the close");
  check(port.settled(recv), "the receive settles");
}

void a_second_receive_is_refused(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token first = port.recv(pair.handle);
  check_equal(port.finish(port.recv(pair.handle)), -error_number::kEALREADY, "the second receive");
  pair.peer.send(port, "fine");
  port.run_until([&] { return port.outcome(first).data == "fine"; }, "the first receive goes on");
}

void a_token_in_flight_is_refused(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  const Token recv = port.recv(pair.handle);
  std::array<std::int32_t, kRecordWords> record{};
  record[submission_word::kCode] = static_cast<std::int32_t>(OpCode::Shutdown);
  record[submission_word::kToken] = static_cast<std::int32_t>(recv.index);
  record[submission_word::kTokenGeneration] = static_cast<std::int32_t>(recv.generation + 1);
  record[submission_word::kHandle] = static_cast<std::int32_t>(pair.handle.index);
  record[submission_word::kHandleGeneration] = static_cast<std::int32_t>(pair.handle.generation);
  const std::uint64_t rejected = port.stats().rejected;
  port.submit_raw(record);
  check_equal(port.stats().rejected, rejected + 1, "the number of refused records");
  port.settle_down();
  check(!port.settled(recv), "the receive goes on");
}

void nonsense_records_are_refused(const Backend& backend) {
  TestPort port(backend);
  const std::uint64_t rejected = port.stats().rejected;
  std::array<std::int32_t, kRecordWords> record{};
  for (const std::int32_t code : {0, kOpCodeCount, 255}) {
    record[submission_word::kCode] = code;
    port.submit_raw(record);
  }
  record[submission_word::kCode] = static_cast<std::int32_t>(OpCode::Accept);
  record[submission_word::kToken] = -1;
  port.submit_raw(record);
  record = {};
  record[submission_word::kCode] =
      static_cast<std::int32_t>(OpCode::Send) | (8 << 16);  // segments that are not there
  port.submit_raw(record);
  check_equal(port.stats().rejected, rejected + 5, "the number of refused records");
  check_equal(port.stats().operations, 0, "the number of operations");
}

void bad_segments_are_refused(const Backend& backend) {
  TestPort port(backend, {.slots = 4, .provided = 4});
  Pair pair = make_pair(port);
  constexpr std::int32_t kPoolBytes = 4 * 4096;
  constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
  const Segment pinned = port.pin("pinned");
  const std::array<Segment, 8> bad{{{-1, kPoolBytes, 1},
                                    {-1, -1, 1},
                                    {-1, 0, kPoolBytes + 1},
                                    {-1, 1, kMax},
                                    {-1, 0, -1},
                                    {pinned.pin, 0, 7},
                                    {pinned.pin, 7, 0},
                                    {77, 0, 1}}};
  for (const Segment& segment : bad) {
    check_equal(port.finish(port.send(pair.handle, {&segment, 1})), -error_number::kEFAULT, "a bad segment");
    const std::array<Segment, 2> second{pinned, segment};
    check_equal(port.finish(port.send(pair.handle, second)), -error_number::kEFAULT, "a bad second segment");
  }
  port.submit_plain(OpCode::Unpin, pinned.pin);
  check_equal(port.finish(port.send(pair.handle, {&pinned, 1})), -error_number::kEFAULT,
              "a pin that was given up");
  check_equal(port.finish(port.send(pair.handle, "fine")), 4, "a good send afterwards");
}

void slots_and_pins_are_checked(const Backend& backend) {
  TestPort port(backend, {.slots = 4, .provided = 1});
  std::uint64_t rejected = port.stats().rejected;
  const auto expect_refusal = [&](OpCode code, std::int32_t argument) {
    port.submit_plain(code, argument);
    check_equal(port.stats().rejected, ++rejected, "the number of refused records");
  };
  expect_refusal(OpCode::Provide, 0);  // the driver has it
  expect_refusal(OpCode::Provide, 4);
  expect_refusal(OpCode::Provide, -1);
  expect_refusal(OpCode::Discard, 0);
  expect_refusal(OpCode::Discard, 4);
  expect_refusal(OpCode::Unpin, 0);
  expect_refusal(OpCode::Unpin, -1);
  port.submit_plain(OpCode::Discard, 1);
  check_equal(port.stats().rejected, rejected, "the number of refused records after a good one");
  check_equal(port.stats().kernel_slots, 1, "the number of slots with the driver");
}

void a_bad_descriptor_is_not_adopted(const Backend& backend) {
  TestPort port(backend);
  HandleRef handle;
  check_equal(port.engine().adopt(1000000, nullptr, handle), -error_number::kEBADF, "the result of adopt");
  check_equal(port.stats().handles, 0, "the number of handles");
  const Pair pair = make_pair(port);
  check(port.engine().find(pair.handle) != nullptr, "a good one is");
}

void connect_needs_an_address(const Backend& backend) {
  TestPort port(backend);
  Pair pair = make_pair(port);
  check_equal(port.finish(port.connect(pair.handle)), -error_number::kEDESTADDRREQ,
              "the result of the connect");
}

constexpr Assertion kAssertions[] = {
    {"a stale handle is refused", a_stale_handle_is_refused},
    {"a closing handle takes nothing more", a_closing_handle_takes_nothing_more},
    {"a second receive is refused", a_second_receive_is_refused},
    {"a token in flight is refused", a_token_in_flight_is_refused},
    {"nonsense records are refused", nonsense_records_are_refused},
    {"bad segments are refused", bad_segments_are_refused},
    {"slots and pins are checked", slots_and_pins_are_checked},
    {"a bad descriptor is not adopted", a_bad_descriptor_is_not_adopted},
    {"connect needs an address", connect_needs_an_address},
};

}  // namespace

std::span<const Assertion> refusal_assertions() { return kAssertions; }

}  // namespace iocp::test
