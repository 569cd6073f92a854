#include <algorithm>
#include <string>

#include "core/byte_window_bio.h"
#include "core/record_layer.h"
#include "test/peers.h"
#include "test/tests.h"

namespace iocp::tls::test {

namespace {

constexpr std::uint16_t kSuite = 0x1301;
constexpr std::uint8_t kAlert = 21;
constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kData = 23;

/// Records of a client that has the right keys.
class Forger {
 public:
  explicit Forger(Bytes secret) {
    check(protection_.start(*find_cipher_suite(kSuite), secret, 0), "the keys are taken");
  }

  /// A record of any inner plain text, not empty: content, type, padding.
  void inner(const Blob& text) {
    Blob record(text.size() - 1 + RecordProtection::kOverheadBytes);
    check(protection_.seal(text.back(), Bytes(text).first(text.size() - 1), record), "it is sealed");
    append(stream, record);
  }
  void record(std::uint8_t type, Blob content) {
    content.push_back(type);
    inner(content);
  }
  void key_update(std::uint8_t request = 0) {
    record(kHandshake, {24, 0, 0, 1, request});
    next_keys();
  }
  void next_keys() { check(protection_.update(), "there are next keys"); }

  Blob stream;

 private:
  RecordProtection protection_{RecordProtection::Direction::Seal};
};

struct Outcome {
  Blob plain;
  std::string code;
  bool ended = false;
  /// What was said last: empty, or level and description of an alert.
  Blob alert;
};

/// The alert in the only record of `records`, which is the first under `secret`.
Blob read_alert(const Blob& records, Bytes secret) {
  if (records.empty()) return {};
  check_equal(records.size(), 2 + RecordProtection::kOverheadBytes, "the length of an alert");
  RecordProtection reader(RecordProtection::Direction::Open);
  Blob inner(3);
  check(reader.start(*find_cipher_suite(kSuite), secret, 0) && reader.open(records, inner, {}),
        "the alert is read");
  check_equal(inner.back(), kAlert, "its type");
  inner.pop_back();
  return inner;
}

class OurRecords {
 public:
  OurRecords() { check(records_.start(*find_cipher_suite(kSuite), {client_}, {server_}), "it starts"); }

  void receive(Bytes stream, std::size_t part_bytes = SIZE_MAX, std::size_t room_bytes = 32'768) {
    Blob room(room_bytes);
    while (!stream.empty() && outcome.code.empty() && !outcome.ended) {
      const Bytes part = stream.first(std::min(part_bytes, stream.size()));
      stream = stream.subspan(part.size());
      Received received;
      std::size_t consumed = 0;
      do {
        received = records_.receive(part.subspan(consumed), room);
        consumed += received.consumed;
        append(outcome.plain, Bytes(room).first(received.plain));
      } while (received.more);
      held_bytes_max = std::max(held_bytes_max, records_.held_bytes());
      if (records_.error()) outcome.code = records_.error()->code;
      outcome.ended = records_.peer_ended();
    }
    Blob said(output_.spilled());
    check_equal(output_.take_spilled(said), said.size(), "what was spilled");
    outcome.alert = read_alert(said, server_);
  }

  [[nodiscard]] Bytes client_secret() const noexcept { return client_; }
  [[nodiscard]] RecordLayer& records() noexcept { return records_; }
  Outcome outcome;
  std::size_t held_bytes_max = 0;

 private:
  Blob client_ = pattern(32);
  Blob server_ = Blob(32, 7);
  ByteWindowBio output_;
  RecordLayer records_{output_};
};

using Attack = void (*)(Forger&);

Outcome ours(Attack attack, std::size_t part_bytes = SIZE_MAX, std::size_t room_bytes = 32'768) {
  OurRecords records;
  Forger forger(records.client_secret());
  attack(forger);
  records.receive(forger.stream, part_bytes, room_bytes);
  return records.outcome;
}

Outcome openssls(Attack attack) {
  OpensslPeer client(OpensslPeer::Role::Client);
  OpensslPeer server(OpensslPeer::Role::Server);
  exchange(client, server);
  Forger forger(client.secrets().client.bytes());
  attack(forger);
  server.receive(forger.stream);
  return {server.plain, server.error, server.ended,
          read_alert(server.output(), client.secrets().server.bytes())};
}

/// The same in every detail, however it is cut.
void check_same(Attack attack) {
  const Outcome expected = openssls(attack);
  for (const std::size_t part : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
    for (const std::size_t room : {32'768, 16'384, 1}) {
      const Outcome outcome = ours(attack, part, static_cast<std::size_t>(room));
      check_equal(outcome.code, expected.code, "the code");
      check_equal(outcome.ended, expected.ended, "whether it has ended");
      check(outcome.plain == expected.plain, "the data is the same");
      check(outcome.alert == expected.alert, "the alert is the same");
    }
  }
}

struct Case {
  const char* name;
  Attack attack;
};

constexpr Case kCases[] = {
    {"data and the end",
     [](Forger& client) {
       client.record(kData, pattern(100));
       client.record(kAlert, {1, 0});
       client.record(kData, pattern(100));
     }},
    {"a close_notify that calls itself fatal",
     [](Forger& client) {
       client.record(kAlert, {2, 0});
     }},
    {"a warning",
     [](Forger& client) {
       client.record(kAlert, {1, 110});
     }},
    {"an alert of no known level",
     [](Forger& client) {
       client.record(kAlert, {7, 40});
     }},
    {"user_canceled and data",
     [](Forger& client) {
       client.record(kAlert, {1, 90});
       client.record(kData, pattern(100));
     }},
    {"an alert of one byte", [](Forger& client) { client.record(kAlert, {2}); }},
    {"an alert of three bytes",
     [](Forger& client) {
       client.record(kAlert, {2, 40, 0});
     }},
    {"two alerts in a record",
     [](Forger& client) {
       client.record(kAlert, {1, 90, 1, 0});
     }},
    {"an empty alert", [](Forger& client) { client.record(kAlert, {}); }},
    {"an empty message of the handshake", [](Forger& client) { client.record(kHandshake, {}); }},
    {"no type, but zeros", [](Forger& client) { client.inner(Blob(50, 0)); }},
    {"one zero", [](Forger& client) { client.inner({0}); }},
    {"an inner change_cipher_spec", [](Forger& client) { client.record(20, {1}); }},
    {"an inner heartbeat",
     [](Forger& client) {
       client.record(24, {1, 0, 0});
     }},
    {"an unknown inner type", [](Forger& client) { client.record(99, pattern(20)); }},
    {"data with padding",
     [](Forger& client) {
       Blob inner = pattern(100);
       inner.push_back(kData);
       inner.resize(5000);
       client.inner(inner);
     }},
    {"the most there may be", [](Forger& client) { client.record(kData, pattern(16'384)); }},
    {"more than there may be", [](Forger& client) { client.record(kData, pattern(16'385)); }},
    {"more, in a record of the greatest length",
     [](Forger& client) { client.record(kData, pattern(16'384 + 239)); }},
    {"an empty record and data",
     [](Forger& client) {
       for (int time = 0; time < 32; ++time) client.record(kData, {});
       client.record(kData, pattern(10));
       for (int time = 0; time < 32; ++time) client.record(kData, {});
       client.record(kData, pattern(10));
     }},
    {"too many empty records",
     [](Forger& client) {
       for (int time = 0; time < 33; ++time) client.record(kData, {});
     }},
    {"a KeyUpdate",
     [](Forger& client) {
       client.record(kData, pattern(10));
       client.key_update();
       client.record(kData, pattern(20));
       client.key_update();
       client.record(kData, pattern(30));
     }},
    {"a KeyUpdate in pieces",
     [](Forger& client) {
       client.record(kHandshake, {24, 0});
       client.record(kHandshake, {0, 1});
       client.record(kHandshake, {0});
       client.next_keys();
       client.record(kData, pattern(20));
     }},
    {"a KeyUpdate after which the old keys are used",
     [](Forger& client) {
       client.record(kHandshake, {24, 0, 0, 1, 0});
       client.record(kData, pattern(20));
     }},
    {"a KeyUpdate of no known kind",
     [](Forger& client) {
       client.record(kHandshake, {24, 0, 0, 1, 2});
     }},
    {"an empty KeyUpdate",
     [](Forger& client) {
       client.record(kHandshake, {24, 0, 0, 0});
     }},
    {"a KeyUpdate of two bytes",
     [](Forger& client) {
       client.record(kHandshake, {24, 0, 0, 2, 0, 0});
     }},
    {"a KeyUpdate of 16 MiB",
     [](Forger& client) {
       client.record(kHandshake, {24, 0xff, 0xff, 0xff, 0});
     }},
    {"two KeyUpdates in a record",
     [](Forger& client) {
       client.record(kHandshake, {24, 0, 0, 1, 0, 24, 0, 0, 1, 0});
     }},
    {"a KeyUpdate and a byte more",
     [](Forger& client) {
       client.record(kHandshake, {24, 0, 0, 1, 0, 24});
     }},
    {"another ClientHello",
     [](Forger& client) {
       client.record(kHandshake, {1, 0, 0, 4, 3, 3, 0, 0});
     }},
    {"another Finished", [](Forger& client) { client.record(kHandshake, Blob(36, 20)); }},
    {"a certificate nobody asked for",
     [](Forger& client) {
       client.record(kHandshake, {11, 0, 0, 4, 0, 0, 0, 0});
     }},
    {"a ticket",
     [](Forger& client) {
       client.record(kHandshake, {4, 0, 0, 4, 0, 0, 0, 0});
     }},
    {"a record in the clear: data",
     [](Forger& client) {
       append(client.stream,
              Blob{23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20});
     }},
    {"a record in the clear: an alert",
     [](Forger& client) {
       append(client.stream, Blob{21, 3, 3, 0, 2, 1, 0});
     }},
    {"a record in the clear: a handshake",
     [](Forger& client) {
       append(client.stream, Blob{22, 3, 3, 0, 5, 24, 0, 0, 1, 0});
     }},
    {"a change_cipher_spec",
     [](Forger& client) {
       append(client.stream, Blob{20, 3, 3, 0, 1, 1});
     }},
    {"a version of before",
     [](Forger& client) {
       append(client.stream, Blob{23, 3, 1, 0, 20});
     }},
    {"a version of the next world",
     [](Forger& client) {
       append(client.stream, Blob{23, 4, 3, 0, 20});
     }},
    {"a record of no length",
     [](Forger& client) {
       append(client.stream, Blob{23, 3, 3, 0, 0});
       append(client.stream, Blob{23, 3, 3, 0, 0});
     }},
    {"a record of a tag alone",
     [](Forger& client) {
       append(client.stream, Blob{23, 3, 3, 0, 16});
       append(client.stream, Blob(16, 1));
     }},
    {"a record of one byte too many",
     [](Forger& client) {
       append(client.stream, Blob{23, 3, 3, 0x41, 0x01});
       append(client.stream, Blob(0x4101, 1));
     }},
    {"a damaged record behind a good one",
     [](Forger& client) {
       client.record(kData, pattern(100));
       client.record(kData, pattern(100));
       client.stream.back() ^= 1;
     }},
    {"a record twice",
     [](Forger& client) {
       client.record(kData, pattern(100));
       append(client.stream, Blob(client.stream));
     }},
};

void check_alerts() {
  for (unsigned int alert = 1; alert < 256; ++alert) {
    OurRecords records;
    Forger forger(records.client_secret());
    forger.record(kAlert, {2, static_cast<std::uint8_t>(alert)});
    records.receive(forger.stream);
    if (alert == 90) continue;
    check(!records.outcome.code.empty(), "it has failed");
    check(records.outcome.alert.empty(), "an alert is not answered");
    if (alert == 42) check_equal(records.outcome.code, "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "the code");
  }
}

void check_every_turned_bit() {
  OurRecords good;
  Forger forger(good.client_secret());
  forger.record(kData, pattern(60));
  for (std::size_t bit = 0; bit < 8 * forger.stream.size(); ++bit) {
    Blob stream = forger.stream;
    stream[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    OurRecords records;
    records.receive(stream);
    check(records.outcome.plain.empty(), "nothing of it passes");
    const bool longer = records.outcome.code.empty();
    check(!longer || bit / 8 == 3 || bit / 8 == 4, "it has failed, but for a record that became longer");
    if (bit / 8 > 4) {
      check_equal(records.outcome.code, "ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "the code");
      check(records.outcome.alert == Blob{2, 20}, "the alert is bad_record_mac");
    }
  }
}

/// OpenSSL has no cap for these.
void check_flood(Attack attack, const char* code) {
  const Outcome outcome = ours(attack);
  check_equal(outcome.code, code, "the code");
  check(outcome.alert == Blob{2, 10}, "the alert is unexpected_message");
}

void check_mixed() {
  // OpenSSL names some of these otherwise; the alert is the same.
  for (const Attack attack : {Attack([](Forger& client) {
                                client.record(kHandshake, {24, 0});
                                client.record(kData, pattern(20));
                              }),
                              Attack([](Forger& client) {
                                client.record(kHandshake, {24, 0, 0});
                                client.record(kAlert, {1, 0});
                              })}) {
    const Outcome outcome = ours(attack);
    check_equal(outcome.code, "ERR_SSL_MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA", "the code");
    check(outcome.alert == Blob{2, 10}, "the alert is unexpected_message");
    check(outcome.alert == openssls(attack).alert, "OpenSSL says the same alert");
  }
}

void holds_one_record_at_most() {
  OurRecords records;
  Forger forger(records.client_secret());
  const std::size_t sizes[] = {16'384, 1, 16'384, 5000, 16'384};
  for (const std::size_t size : sizes) forger.record(kData, pattern(size));
  Bytes stream = forger.stream;
  while (!stream.empty()) {
    const Bytes part = stream.first(std::min<std::size_t>(stream.size(), 1000));
    stream = stream.subspan(part.size());
    records.receive(part);
  }
  check(records.held_bytes_max <= 5 + 16'384 + 256, "a record at most is held");
  check_equal(records.records().held_bytes(), 0U, "what is held in the end");
  check(records.outcome.code.empty(), "all was good");
}

void holds_nothing_of_whole_records() {
  OurRecords records;
  Forger forger(records.client_secret());
  for (int time = 0; time < 10; ++time) forger.record(kData, pattern(16'384));
  records.receive(forger.stream);
  check_equal(records.outcome.plain.size(), 163'840U, "what has come");
  check_equal(records.held_bytes_max, 0U, "what was held");
}

void says_nothing_behind_the_end() {
  OurRecords records;
  Forger forger(records.client_secret());
  records.records().end();
  forger.record(99, {});
  records.receive(forger.stream);
  check_equal(records.outcome.code, "ERR_SSL_BAD_RECORD_TYPE", "the code");
  check(records.outcome.alert == Blob{1, 0}, "only close_notify was said");
  check_equal(records.records().send(pattern(1)), 0U, "what is sent then");
}

}  // namespace

void add_hostile_tests(std::vector<TestCase>& tests) {
  for (const Case& one : kCases) {
    tests.push_back({std::string("hostile, as OpenSSL: ") + one.name, [&one] { check_same(one.attack); }});
  }
  tests.push_back({"hostile: all alerts", check_alerts});
  tests.push_back({"hostile: a turned bit anywhere", check_every_turned_bit});
  tests.push_back({"hostile: too many KeyUpdates", [] {
                     check_flood(
                         [](Forger& client) {
                           for (int time = 0; time < 33; ++time) client.key_update(1);
                         },
                         "ERR_SSL_TOO_MANY_KEY_UPDATES");
                   }});
  tests.push_back({"hostile: too many warnings", [] {
                     check_flood(
                         [](Forger& client) {
                           for (int time = 0; time < 33; ++time) client.record(kAlert, {1, 90});
                         },
                         "ERR_SSL_TOO_MANY_WARN_ALERTS");
                   }});
  tests.push_back({"hostile: something else in the middle of a message", check_mixed});
  tests.push_back({"records: one is held at most", holds_one_record_at_most});
  tests.push_back({"records: whole ones are not held", holds_nothing_of_whole_records});
  tests.push_back({"records: no alert behind our close_notify", says_nothing_behind_the_end});
}

}  // namespace iocp::tls::test
