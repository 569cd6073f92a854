#include <array>
#include <memory>
#include <string>
#include <vector>

#include "core/engine.h"
#include "test/scripted_driver.h"
#include "test/unit_tests.h"

namespace iocp::test {
namespace {

constexpr std::uint32_t kSlotBytes = limit::kDatagramOffset + 64;
constexpr std::uint32_t kSlots = 8;
constexpr std::int32_t kCanceled = -error_number::kECANCELED;

using Record = std::array<std::int32_t, kRecordWords>;

/// An engine over a scripted driver. Tokens have generation 1.
struct Bench {
  std::array<std::byte, std::size_t{kSlotBytes} * kSlots> memory{};
  BufferSlots slots{memory.data(), kSlotBytes, kSlots};
  ScriptedSystem system;
  ScriptedDriver* driver = nullptr;
  std::unique_ptr<Engine> engine;
  std::string broken;

  Bench() {
    auto owned =
        std::make_unique<ScriptedDriver>(slots, [this](const std::string& promise) { broken = promise; });
    driver = owned.get();
    engine = std::make_unique<Engine>(std::move(owned), system, slots);
  }

  HandleRef adopt(NativeHandle native, SocketKind kind = SocketKind::Stream) {
    HandleRef handle;
    check_equal(engine->adopt(native, nullptr, handle, kind), 0, "the result of adopt");
    return handle;
  }

  void submit(OpCode code, std::int32_t token, HandleRef handle, std::int32_t a = 0, std::int32_t b = 0,
              std::int32_t c = 0) {
    const Record record{static_cast<std::int32_t>(code),
                        token,
                        1,
                        static_cast<std::int32_t>(handle.index),
                        static_cast<std::int32_t>(handle.generation),
                        a,
                        b,
                        c};
    engine->submit(record.data(), 1);
  }

  /// Datagrams of 10 bytes each, one behind the other in the pool.
  void send_to(std::int32_t token, HandleRef handle, std::int32_t count) {
    const std::vector<Record> records = send_to_records(token, handle, count);
    engine->submit(records.data()->data(), static_cast<std::int32_t>(records.size()));
  }

  static std::vector<Record> send_to_records(std::int32_t token, HandleRef handle, std::int32_t count) {
    std::vector<Record> records{{static_cast<std::int32_t>(OpCode::SendTo) | (count << 16), token, 1,
                                 static_cast<std::int32_t>(handle.index),
                                 static_cast<std::int32_t>(handle.generation)}};
    for (std::int32_t i = 0; i < count; ++i) {
      records.push_back({-1, i * 10, 10});
      records.push_back({});
    }
    return records;
  }

  std::vector<Record> collect(std::size_t max = 64) {
    engine->flush();
    std::vector<Record> records(max);
    records.resize(engine->collect(records.data()->data(), max));
    check(broken.empty(), "promise to the driver: " + broken);
    return records;
  }

  Operation& only_waiting() {
    check_equal(driver->waiting().size(), 1, "the number of operations that wait");
    return *driver->waiting().front();
  }
};

void check_record(const Record& record, OpCode code, std::int32_t flags, std::int32_t token,
                  std::int32_t result, const std::source_location& where = std::source_location::current()) {
  check_equal(record[completion_word::kCode] & 0xff, static_cast<std::int32_t>(code), "the code", where);
  check_equal(record[completion_word::kCode] >> 8, flags, "the flags", where);
  check_equal(record[completion_word::kToken], token, "the token", where);
  check_equal(record[completion_word::kResult], result, "the result", where);
}

void a_short_send_goes_on_where_it_stopped() {
  Bench bench;
  const HandleRef handle = bench.adopt(3);
  bench.submit(OpCode::Send, 0, handle, -1, 10, 100);
  bench.driver->finish(bench.only_waiting(), 30);
  check_equal(bench.collect().size(), 0, "the number of completions");
  const Operation& rest = bench.only_waiting();
  check(rest.vector.base == bench.memory.data() + 40 && rest.vector.length == 70, "what is left");
  bench.driver->finish(bench.only_waiting(), 70);
  const std::vector<Record> records = bench.collect();
  check_equal(records.size(), 1, "the number of completions");
  check_record(records[0], OpCode::Send, 0, 0, 100);
}

void a_send_that_takes_nothing_fails() {
  Bench bench;
  const HandleRef handle = bench.adopt(3);
  bench.submit(OpCode::Send, 0, handle, -1, 0, 100);
  bench.driver->finish(bench.only_waiting(), 0);
  check_record(bench.collect().at(0), OpCode::Send, 0, 0, -error_number::kEPIPE);
}

void a_receive_that_the_driver_ended_goes_on() {
  Bench bench;
  bench.submit(OpCode::Provide, 0, {}, 0);
  const HandleRef handle = bench.adopt(3);
  bench.submit(OpCode::Recv, 0, handle);
  bench.driver->receive(bench.only_waiting(), 10, false);
  const std::vector<Record> records = bench.collect();
  check_record(records.at(0), OpCode::Recv, complete_flag::kMore | complete_flag::kSlot, 0, 10);
  check(bench.only_waiting().code == OpCode::Recv, "the receive was started again");
}

void an_error_after_a_local_close_is_a_cancel() {
  Bench bench;
  const HandleRef handle = bench.adopt(3);
  bench.submit(OpCode::Recv, 0, handle);
  bench.submit(OpCode::Send, 1, handle, -1, 0, 10);
  bench.submit(OpCode::Close, 2, handle);
  const std::vector<Operation*> waiting = bench.driver->waiting();
  for (Operation* operation : waiting) bench.driver->finish(*operation, -error_number::kECONNRESET);
  const std::vector<Record> records = bench.collect();
  check_record(records.at(0), OpCode::Recv, 0, 0, kCanceled);
  check_record(records.at(1), OpCode::Send, 0, 1, kCanceled);
  check(bench.only_waiting().code == OpCode::Close, "the handle is closed last");
}

void a_cancel_meets_an_empty_pool() {
  Bench bench;
  const HandleRef handle = bench.adopt(3);
  bench.submit(OpCode::Recv, 0, handle);
  Operation& recv = bench.only_waiting();
  bench.driver->finish(recv, -error_number::kENOBUFS);  // on its way when the cancel comes
  bench.submit(OpCode::Cancel, 0, {});
  check_record(bench.collect().at(0), OpCode::Recv, 0, 0, kCanceled);
}

void a_parked_receive_is_closed_once() {
  Bench bench;
  const HandleRef handle = bench.adopt(3);
  bench.submit(OpCode::Recv, 0, handle);
  bench.driver->finish(bench.only_waiting(), -error_number::kENOBUFS);
  check_equal(bench.collect().size(), 0, "the number of completions");
  bench.submit(OpCode::Close, 1, handle);
  check(bench.only_waiting().code == OpCode::Close, "one close is on its way");
  bench.driver->finish(bench.only_waiting(), 0);
  const std::vector<Record> records = bench.collect();
  check_record(records.at(0), OpCode::Recv, 0, 0, kCanceled);
  check_record(records.at(1), OpCode::Close, 0, 1, 0);
}

void a_hungry_receive_goes_before_one_that_had_its_fill() {
  Bench bench;
  bench.submit(OpCode::Provide, 0, {}, 0);
  const HandleRef busy = bench.adopt(3);
  const HandleRef quiet = bench.adopt(4);
  bench.submit(OpCode::Recv, 0, busy);
  bench.submit(OpCode::Recv, 1, quiet);
  const std::vector<Operation*> waiting = bench.driver->waiting();
  bench.driver->receive(*waiting[0], 10, true);
  bench.driver->finish(*waiting[0], -error_number::kENOBUFS);
  bench.driver->finish(*waiting[1], -error_number::kENOBUFS);
  check_equal(bench.collect().size(), 1, "the number of completions");
  bench.submit(OpCode::Provide, 0, {}, 0);
  bench.engine->flush();
  check(bench.only_waiting().handle == bench.engine->find(quiet), "the one that got nothing is first");
}

void completions_wait_for_room_in_order() {
  Bench bench;
  for (std::int32_t token = 0; token < 10; ++token) bench.submit(OpCode::Post, token, {}, token * 11);
  std::int32_t expected = 0;
  for (const std::size_t room : {3U, 1U, 4U, 10U}) {
    for (const Record& record : bench.collect(room)) {
      check_record(record, OpCode::Post, 0, expected, expected * 11);
      ++expected;
    }
  }
  check_equal(expected, 10, "the number of completions");
}

void a_connection_that_cannot_join_is_closed() {
  Bench bench;
  const HandleRef listener = bench.adopt(3);
  bench.submit(OpCode::Accept, 0, listener);
  bench.driver->refuse_attach(-error_number::kENOMEM);
  bench.driver->accept(bench.only_waiting(), 50, true);
  const std::vector<Record> records = bench.collect();
  check_record(records.at(0), OpCode::Accept, complete_flag::kMore, 0, -error_number::kENOMEM);
  check(bench.system.closed() == std::vector<NativeHandle>{50}, "its descriptor is closed");
}

void closing_the_port_joins_very_many_operations() {
  Bench bench;
  constexpr std::int32_t kOperations = 40000;
  for (std::int32_t token = 0; token < kOperations; ++token)
    bench.submit(OpCode::Recv, token, bench.adopt(token + 3));
  bench.engine->close();
  check_equal(bench.engine->stats().operations, 0, "the number of operations");
  std::size_t collected = 0;
  for (std::size_t count = 1; count > 0; collected += count) count = bench.collect(1024).size();
  check_equal(collected, kOperations, "the number of completions");
  check_equal(bench.system.closed().size(), kOperations, "the number of closed descriptors");
}

void what_never_comes_back_does_not_hang_the_port() {
  Bench bench;
  bench.driver->end_canceled_on_wait(false);
  bench.submit(OpCode::Recv, 0, bench.adopt(3));
  bench.engine->close();
  check(bench.system.closed() == std::vector<NativeHandle>{3}, "the descriptor is closed all the same");
}

void records_of_a_send_to_that_are_missing_are_not_made_up() {
  Bench bench;
  const HandleRef handle = bench.adopt(3, SocketKind::DatagramIpv4);
  std::vector<Record> records = Bench::send_to_records(0, handle, 3);
  records.pop_back();
  records.insert(records.begin(), Record{static_cast<std::int32_t>(OpCode::Post), 1, 1, 0, 0, 77});
  bench.engine->submit(records.data()->data(), static_cast<std::int32_t>(records.size()));
  const std::vector<Record> answers = bench.collect();
  check_equal(answers.size(), 1, "the number of completions");
  check_record(answers[0], OpCode::Post, 0, 1, 77);
  check_equal(bench.driver->waiting().size(), 0, "the number of operations started");
  check_equal(bench.engine->stats().rejected, 1, "the number of records rejected");
  bench.send_to(0, handle, 3);
  check(bench.only_waiting().index == 0, "the token is free as before");
}

void a_second_send_to_leaves_the_first_alone() {
  Bench bench;
  const HandleRef handle = bench.adopt(3, SocketKind::DatagramIpv4);
  bench.send_to(0, handle, 3);
  bench.submit(OpCode::Cancel, 0, {});
  bench.send_to(1, handle, 8);
  check_record(bench.collect().at(0), OpCode::SendTo, 0, 1, -error_number::kEALREADY);
  Operation& first = bench.only_waiting();
  bench.driver->take(first, 2);
  bench.driver->refuse(first, 0, -error_number::kEMSGSIZE);
  bench.driver->finish_send_to(first);
  const std::vector<Record> records = bench.collect();
  check_record(records.at(0), OpCode::SendTo, complete_flag::kMore, 0, -error_number::kEMSGSIZE);
  check_equal(records[0][completion_word::kValue], 0, "which datagram is refused");
  check_record(records.at(1), OpCode::SendTo, 0, 0, 1);
}

void a_send_to_that_took_nothing_before_its_end_is_cancelled() {
  for (const std::int32_t result : {0, -error_number::kENOMEM}) {
    Bench bench;
    const HandleRef handle = bench.adopt(3, SocketKind::DatagramIpv4);
    bench.send_to(0, handle, 2);
    bench.submit(OpCode::Close, 1, handle);
    bench.driver->finish(bench.only_waiting(), result);
    check_record(bench.collect().at(0), OpCode::SendTo, 0, 0, kCanceled);
    check(bench.only_waiting().code == OpCode::Close, "the handle is closed last");
  }
}

void a_receive_of_datagrams_that_the_driver_ended_goes_on() {
  Bench bench;
  bench.submit(OpCode::Provide, 0, {}, 0);
  const HandleRef handle = bench.adopt(3, SocketKind::DatagramIpv6);
  bench.submit(OpCode::RecvFrom, 0, handle);
  bench.driver->receive(bench.only_waiting(), 0, false);
  check_record(bench.collect().at(0), OpCode::RecvFrom, complete_flag::kMore | complete_flag::kSlot, 0, 0);
  Operation& again = bench.only_waiting();
  bench.submit(OpCode::Provide, 0, {}, 0);
  bench.submit(OpCode::Cancel, 0, {});
  bench.driver->receive(again, 5, false);  // on its way when the cancel comes
  const std::vector<Record> records = bench.collect();
  check_record(records.at(0), OpCode::RecvFrom, complete_flag::kMore | complete_flag::kSlot, 0, 5);
  check_record(records.at(1), OpCode::RecvFrom, 0, 0, kCanceled);
}

void datagrams_that_never_come_back_stay_in_place() {
  Bench bench;
  bench.driver->end_canceled_on_wait(false);
  bench.send_to(0, bench.adopt(3, SocketKind::DatagramIpv4), 2);
  bench.engine->close();
  check(bench.system.closed() == std::vector<NativeHandle>{3}, "the descriptor is closed all the same");
  Operation& late = bench.only_waiting();
  bench.driver->take(late, 0);
  bench.driver->refuse(late, 1, -error_number::kEBADF);
  bench.driver->finish_send_to(late);
  check_record(bench.collect().at(1), OpCode::SendTo, 0, 0, 1);
}

void a_close_that_never_comes_back_is_not_done_twice() {
  Bench bench;
  bench.driver->end_canceled_on_wait(false);
  bench.submit(OpCode::Close, 0, bench.adopt(3));
  bench.engine->close();
  check(bench.driver->closed() == std::vector<NativeHandle>{3}, "the driver has closed the descriptor");
  check(bench.system.closed().empty(), "nobody else closes it");
}

void a_close_does_not_wait_for_ever_for_what_never_comes_back() {
  Bench bench;
  bench.driver->end_canceled_on_wait(false);
  const HandleRef handle = bench.adopt(3);
  bench.submit(OpCode::Recv, 0, handle);
  bench.submit(OpCode::Close, 1, handle);
  bench.engine->close();
  check_record(bench.collect().at(0), OpCode::Close, 0, 1, 0);
  check(bench.system.closed() == std::vector<NativeHandle>{3}, "the descriptor is closed once");
  bench.driver->finish(bench.only_waiting(), kCanceled);
  check_record(bench.collect().at(0), OpCode::Recv, 0, 0, kCanceled);
  check_equal(bench.engine->stats().operations, 0, "the number of operations");
}

}  // namespace

void add_engine_tests(std::vector<TestCase>& tests) {
  tests.push_back({"engine: a short send goes on where it stopped", a_short_send_goes_on_where_it_stopped});
  tests.push_back({"engine: a send that takes nothing fails", a_send_that_takes_nothing_fails});
  tests.push_back(
      {"engine: a receive that the driver ended goes on", a_receive_that_the_driver_ended_goes_on});
  tests.push_back(
      {"engine: an error after a local close is a cancel", an_error_after_a_local_close_is_a_cancel});
  tests.push_back({"engine: a cancel meets an empty pool", a_cancel_meets_an_empty_pool});
  tests.push_back({"engine: a parked receive is closed once", a_parked_receive_is_closed_once});
  tests.push_back({"engine: a hungry receive goes before one that had its fill",
                   a_hungry_receive_goes_before_one_that_had_its_fill});
  tests.push_back({"engine: completions wait for room in order", completions_wait_for_room_in_order});
  tests.push_back(
      {"engine: a connection that cannot join is closed", a_connection_that_cannot_join_is_closed});
  tests.push_back(
      {"engine: closing the port joins very many operations", closing_the_port_joins_very_many_operations});
  tests.push_back(
      {"engine: what never comes back does not hang the port", what_never_comes_back_does_not_hang_the_port});
  tests.push_back({"engine: records of a SendTo that are missing are not made up",
                   records_of_a_send_to_that_are_missing_are_not_made_up});
  tests.push_back(
      {"engine: a second SendTo leaves the first alone", a_second_send_to_leaves_the_first_alone});
  tests.push_back({"engine: a SendTo that took nothing before its end is cancelled",
                   a_send_to_that_took_nothing_before_its_end_is_cancelled});
  tests.push_back({"engine: a receive of datagrams that the driver ended goes on",
                   a_receive_of_datagrams_that_the_driver_ended_goes_on});
  tests.push_back(
      {"engine: datagrams that never come back stay in place", datagrams_that_never_come_back_stay_in_place});
  tests.push_back({"engine: a close that never comes back is not done twice",
                   a_close_that_never_comes_back_is_not_done_twice});
  tests.push_back({"engine: a close does not wait for ever for what never comes back",
                   a_close_does_not_wait_for_ever_for_what_never_comes_back});
}

}  // namespace iocp::test
