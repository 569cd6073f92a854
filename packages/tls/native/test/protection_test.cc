#include <algorithm>
#include <string_view>

#include "core/record_protection.h"
#include "test/peers.h"
#include "test/tests.h"

namespace iocp::tls::test {

namespace {

constexpr std::uint16_t kSuites[] = {0x1301, 0x1302, 0x1303};

Secret secret_of(std::string_view digits) {
  Secret secret;
  check(secret.read_hex(digits), "the digits are a secret");
  return secret;
}

void check_expanded(std::string_view secret, const char* label, std::string_view expected) {
  const Secret wanted = secret_of(expected);
  Blob result(wanted.bytes().size());
  check(expand_label(*find_cipher_suite(0x1301), secret_of(secret).bytes(), label, result), "it is expanded");
  check(std::ranges::equal(result, wanted.bytes()), label);
}

/// RFC 8448 section 3: the keys for application data.
void derives_published_keys() {
  constexpr std::string_view kServer = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
  check_expanded(kServer, "key", "9f02283b6c9c07efc26bb9f2ac92e356");
  check_expanded(kServer, "iv", "cf782b88dd83549aadf1e984");
  constexpr std::string_view kClient = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
  check_expanded(kClient, "key", "17422dda596ed5d9acd890e3c63f5051");
  check_expanded(kClient, "iv", "5b78923dee08579033e523d9");
}

void refuses_what_is_no_secret() {
  Secret secret;
  check(!secret.read_hex("123"), "half a byte is none");
  check(!secret.read_hex("1g"), "a letter behind F is none");
  check(!secret.read_hex(std::string(98, 'a')), "more than a hash is none");
  check(secret.read_hex("00fFAa"), "both cases are read");
  check(std::ranges::equal(secret.bytes(), Blob{0, 0xff, 0xaa}), "the value is right");
  secret.wipe();
  check(secret.bytes().empty(), "nothing is left");
}

struct Pair {
  RecordProtection writer{RecordProtection::Direction::Seal};
  RecordProtection reader{RecordProtection::Direction::Open};

  explicit Pair(std::uint16_t id, std::uint64_t record = 0) {
    const CipherSuite& suite = *find_cipher_suite(id);
    const Blob secret = pattern(suite.hash_bytes);
    check(writer.start(suite, secret, record) && reader.start(suite, secret, record), "the keys are taken");
  }

  Blob seal(std::uint8_t type, Bytes content) {
    Blob record(content.size() + RecordProtection::kOverheadBytes);
    check(writer.seal(type, content, record), "it is sealed");
    return record;
  }

  bool open(Bytes record, Blob& inner, std::size_t in_first) {
    inner.assign(record.size() - RecordProtection::kHeaderBytes - RecordProtection::kTagBytes, 0);
    const std::span<std::uint8_t> all(inner);
    return reader.open(record, all.first(in_first), all.subspan(in_first));
  }
};

void seals_and_opens() {
  for (const std::uint16_t id : kSuites) {
    Pair pair(id);
    for (const std::size_t size : {0, 1, 15, 16, 17, 511, 512, 513, 1000, 16'383, 16'384}) {
      Blob inner = pattern(size);
      const Blob record = pair.seal(23, inner);
      inner.push_back(23);
      Blob opened;
      check(pair.open(record, opened, size / 3), "it is opened");
      check(opened == inner, "it is what was sealed");
    }
    check(pair.writer.update() && pair.reader.update(), "there are next keys");
    check_equal(pair.writer.records(), 0U, "the number of the first record");
    Blob opened;
    check(pair.open(pair.seal(22, pattern(5)), opened, 0), "the next keys work");
  }
}

void refuses_every_turned_bit() {
  for (const std::uint16_t id : kSuites) {
    const Blob record = Pair(id).seal(23, pattern(40));
    for (std::size_t bit = 0; bit < 8 * record.size(); ++bit) {
      // The length is not looked at here.
      Blob turned = record;
      turned[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      Blob opened;
      check(!Pair(id).open(turned, opened, 20), "a turned bit is noticed");
    }
  }
}

void never_wraps() {
  Pair pair(0x1301, UINT64_MAX);
  Blob record(100);
  check(!pair.writer.seal(23, Bytes(record).first(10), std::span(record).first(32)),
        "the last number is not used");
}

}  // namespace

void add_protection_tests(std::vector<TestCase>& tests) {
  tests.push_back({"protection: keys are those of RFC 8448", derives_published_keys});
  tests.push_back({"protection: a secret is hexadecimal", refuses_what_is_no_secret});
  tests.push_back({"protection: what is sealed can be opened", seals_and_opens});
  tests.push_back({"protection: a turned bit anywhere is noticed", refuses_every_turned_bit});
  tests.push_back({"protection: record numbers do not wrap", never_wraps});
}

}  // namespace iocp::tls::test
