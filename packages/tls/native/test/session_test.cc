#include <algorithm>
#include <string>

#include "test/peers.h"
#include "test/tests.h"

namespace iocp::tls::test {

namespace {

using Role = OpensslPeer::Role;

constexpr const char* kSuites[] = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                   "TLS_CHACHA20_POLY1305_SHA256"};

/// Of the servers of the test at work.
std::uint64_t records_by_openssl = 0;

OurServer::Options server_options(std::size_t tickets = 1, int max_version = TLS1_3_VERSION) {
  return {tickets, max_version, records_by_openssl};
}

struct Connection {
  OpensslPeer client;
  OurServer server;

  explicit Connection(const char* suite = kSuites[0], std::size_t tickets = 1)
      : client(Role::Client, suite), server(server_options(tickets)) {
    exchange(client, server);
    check(server.session().handshaken(), "the handshake is done");
  }

  void to_server(Bytes text) {
    const std::size_t before = server.plain.size();
    client.send(text);
    server.receive(client.output());
    check(std::ranges::equal(Bytes(server.plain).subspan(before), text), "the server gets what was sent");
  }

  void to_client(Bytes text) {
    const std::size_t before = client.plain.size();
    server.send(text);
    client.receive(server.output());
    check(std::ranges::equal(Bytes(client.plain).subspan(before), text), "the client gets what was sent");
  }

  void both_ways(std::size_t size) {
    to_server(pattern(size));
    to_client(pattern(size));
  }

  void update_client_keys(int type) {
    check(SSL_key_update(client.ssl(), type) == 1, "new keys are announced");
  }
};

void carries_data(const char* suite) {
  for (const std::size_t tickets : {0, 1, 2, 5}) {
    Connection connection(suite, tickets);
    for (const std::size_t size : {1, 511, 512, 513, 16'383, 16'384, 16'385, 50'000})
      connection.both_ways(size);
  }
}

void takes_every_split() {
  Connection connection;
  Blob stream;
  Blob sent;
  for (const std::size_t size : {1, 100, 40, 3}) {
    connection.client.send(pattern(size));
    append(stream, connection.client.output());
    append(sent, pattern(size));
    if (size == 100) connection.update_client_keys(SSL_KEY_UPDATE_REQUESTED);
  }
  // The numbers of records go on: each split has a connection of its own.
  for (std::size_t at = 0; at <= stream.size(); at += 1) {
    Connection split;
    Blob records;
    for (const std::size_t size : {1, 100, 40, 3}) {
      split.client.send(pattern(size));
      append(records, split.client.output());
      if (size == 100) split.update_client_keys(SSL_KEY_UPDATE_REQUESTED);
    }
    check_equal(records.size(), stream.size(), "the length of the stream");
    split.server.receive(Bytes(records).first(at));
    split.server.receive(Bytes(records).subspan(at));
    check(split.server.plain == sent, "every split gives the same");
  }
}

void takes_small_parts_and_rooms() {
  for (const std::size_t part : {1, 2, 7, 1000, 16'405, 16'406, 16'407}) {
    for (const std::size_t room : {1, 17, 4096, 16'383, 16'384, 16'385, 32'768}) {
      Connection connection;
      const Blob text = pattern(40'000);
      connection.client.send(text);
      connection.server.receive(connection.client.output(), part, room);
      check(connection.server.plain == text, "every part and room gives the same");
    }
  }
}

void fills_small_rooms() {
  for (const std::size_t room : {1, 22, 23, 1000, 1023, 1024, 4096, 16'384, 16'405, 16'406, 32'768}) {
    Connection connection;
    const Blob text = pattern(70'000);
    connection.server.send(text, room);
    connection.client.receive(connection.server.output());
    check(connection.client.plain == text, "every room gives the same");
    check(connection.client.error.empty(), "the client is content");
  }
}

void strips_padding() {
  for (const std::size_t block : {16, 512, 4096, 16'384}) {
    Connection connection;
    check(SSL_set_block_padding(connection.client.ssl(), block) == 1, "records are padded");
    for (const std::size_t size : {1, 100, 5000, 16'384, 20'000}) connection.to_server(pattern(size));
    connection.update_client_keys(SSL_KEY_UPDATE_NOT_REQUESTED);
    connection.both_ways(10);
  }
}

void changes_keys(const char* suite) {
  Connection connection(suite);
  for (const int type : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
    connection.both_ways(1000);
    connection.update_client_keys(type);
    connection.both_ways(1000);
    connection.both_ways(20'000);
  }
}

void answers_many_requests_once() {
  Connection connection;
  for (int time = 0; time < 30; ++time) {
    connection.update_client_keys(SSL_KEY_UPDATE_REQUESTED);
    check(SSL_do_handshake(connection.client.ssl()) == 1, "it is sent");
    connection.server.receive(connection.client.output());
  }
  check(connection.server.output().empty(), "nothing is answered before there is something to say");
  connection.server.send(pattern(10));
  check_equal(connection.server.output().size(), 27U + 32U, "the length of one KeyUpdate and one record");
}

void ends_each_direction() {
  Connection connection;
  connection.server.end();
  connection.server.end();
  const Blob said = connection.server.output();
  check_equal(said.size(), 24U, "the length of one close_notify");
  connection.client.receive(said);
  check(connection.client.ended, "the client sees the end");
  connection.to_server(pattern(100));
  connection.client.end();
  Blob records = connection.client.output();
  append(records, pattern(1000));
  connection.server.receive(records);
  check(connection.server.session().peer_ended(), "the server sees the end");
  check(connection.server.error().empty(), "what comes behind it is not looked at");
}

void sends_after_the_peer_has_ended() {
  Connection connection;
  connection.client.end();
  connection.server.receive(connection.client.output());
  check(connection.server.session().peer_ended(), "the server sees the end");
  connection.server.send(pattern(100));
  check(!connection.server.output().empty(), "it may go on");
}

void reads_data_behind_the_handshake() {
  OpensslPeer client(Role::Client);
  OurServer server(server_options());
  server.receive(client.output());
  client.receive(server.output());
  client.send(pattern(20'000));
  server.receive(client.output());
  check(server.plain == pattern(20'000), "data of the same flight as the client's Finished is read");
}

void tells_facts_as_before() {
  Connection connection;
  connection.both_ways(10);
  Blob ours(32);
  Blob theirs(32);
  for (auto [ssl, material] :
       {std::pair(connection.server.session().ssl(), &ours), {connection.client.ssl(), &theirs}}) {
    check(SSL_export_keying_material(ssl, material->data(), material->size(), "test", 4, nullptr, 0, 0) == 1,
          "keying material is exported");
  }
  check(ours == theirs, "both export the same");
  check(connection.server.session().keylog().empty(), "no key is logged unasked");
}

/// Whether OpenSSL's count of records is ours, wherever the input is cut.
void takes_over_at_every_split() {
  const std::size_t sizes[] = {1, 100, 40, 3, 20, 17};
  const std::size_t length = [&] {
    Connection whole;
    for (const std::size_t size : sizes) whole.client.send(pattern(size));
    return whole.client.output().size();
  }();
  for (std::size_t at = 0; at <= length; ++at) {
    Connection connection;
    Blob sent;
    for (const std::size_t size : sizes) {
      connection.client.send(pattern(size));
      append(sent, pattern(size));
    }
    const Blob records = connection.client.output();
    connection.server.receive(Bytes(records).first(at));
    connection.to_client(pattern(50));
    connection.server.receive(Bytes(records).subspan(at));
    check(connection.server.plain == sent, "every split gives the same");
    for (int time = 0; time < 10; ++time) connection.both_ways(100);
    check(connection.server.session().protects_records(), "the records are ours by now");
  }
}

void takes_over_after_some_records() {
  for (const bool server_speaks : {false, true}) {
    Connection connection(kSuites[0], 2);
    // Tickets count.
    for (std::uint64_t records = 2; records < records_by_openssl; ++records) {
      check(!connection.server.session().protects_records(), "it is too early");
      server_speaks ? connection.to_client(pattern(10)) : connection.to_server(pattern(10));
    }
    connection.both_ways(10);
    check(connection.server.session().protects_records(), "it is time");
    connection.both_ways(10);
  }
}

void leaves_changed_keys_to_openssl() {
  Connection connection;
  connection.to_server(pattern(10));
  check(!connection.server.session().protects_records(), "it is too early");
  connection.update_client_keys(SSL_KEY_UPDATE_REQUESTED);
  for (int time = 0; time < 20; ++time) connection.both_ways(1000);
  check(!connection.server.session().protects_records(), "the keys are not known any more");
  connection.server.end();
  connection.client.receive(connection.server.output());
  check(connection.client.ended, "the client sees the end");
}

void leaves_other_suites_to_openssl() {
  Connection connection("TLS_AES_128_CCM_SHA256");
  for (const std::size_t size : {1, 16'384, 50'000}) connection.both_ways(size);
  OpensslPeer client(Role::Client);
  OurServer server(server_options(1, TLS1_2_VERSION));
  exchange(client, server);
  client.send(pattern(30'000));
  server.receive(client.output());
  check(server.plain == pattern(30'000), "TLS 1.2 works");
}

/// A record layer of so few records for each key that they change all the time, in place of the one in an OpenSSL server.
void changes_own_keys_in_time() {
  OpensslPeer client(Role::Client);
  OpensslPeer openssl(Role::Server);
  exchange(client, openssl);
  ByteWindowBio output;
  RecordLayer records(output, 3);
  const Secrets& secrets = client.secrets();
  check(records.start(*find_cipher_suite(0x1301), {secrets.client.bytes()}, {secrets.server.bytes()}),
        "it starts");
  Blob sent;
  for (std::size_t size = 1; size <= 50; ++size) {
    const Blob text = pattern(size);
    Blob room(1000);
    output.open_output(room);
    check_equal(records.send(text), size, "what is taken");
    const std::size_t length = room.size() - output.room_left();
    output.close_output();
    // Three records, of which the last announces the next keys.
    const bool announced = length > size + RecordProtection::kOverheadBytes;
    check_equal(announced, size > 3 && size % 3 == 1, "whether new keys are announced");
    client.receive(Bytes(room).first(length));
    append(sent, text);
  }
  check(client.plain == sent, "the client follows");
  check(client.error.empty(), "the client is content");
}

}  // namespace

void add_session_tests(std::vector<TestCase>& tests) {
  const auto add = [&tests](const std::string& name, std::uint64_t count, auto test) {
    tests.push_back({"session: " + name + ", the records ours after " + std::to_string(count),
                     [count, test] {
                       records_by_openssl = count;
                       test();
                     }});
  };
  // At once, in the middle of most tests, and behind most of them.
  for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{4}, SessionOptions::kRecordsByOpenssl}) {
    for (const char* suite : kSuites) {
      const std::string name(suite);
      add("data both ways, " + name, count, [suite] { carries_data(suite); });
      add("new keys both ways, " + name, count, [suite] { changes_keys(suite); });
    }
    add("every split of the input", count, takes_every_split);
    add("small parts and rooms", count, takes_small_parts_and_rooms);
    add("small rooms for records", count, fills_small_rooms);
    add("padding is stripped", count, strips_padding);
    add("each direction ends by itself", count, ends_each_direction);
    add("a peer that has ended still gets data", count, sends_after_the_peer_has_ended);
    add("data directly behind the handshake", count, reads_data_behind_the_handshake);
    add("OpenSSL tells facts as before", count, tells_facts_as_before);
    add("other suites and versions are OpenSSL's", count, leaves_other_suites_to_openssl);
  }
  add("many requests for new keys have one answer", 0, answers_many_requests_once);
  for (const std::uint64_t count : {3, 4, 5, 6}) add("any split before", count, takes_over_at_every_split);
  add("not before", SessionOptions::kRecordsByOpenssl, takes_over_after_some_records);
  add("never with new keys before", 4, leaves_changed_keys_to_openssl);
  tests.push_back({"session: our own keys change in time", changes_own_keys_in_time});
}

}  // namespace iocp::tls::test
