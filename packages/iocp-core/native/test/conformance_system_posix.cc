#include <sys/resource.h>
#include <unistd.h>

#include <string>

#include "backend/posix/descriptor.h"
#include "test/conformance.h"
#include "test/harness.h"
#include "test/peer.h"
#include "test/test_port.h"

namespace iocp::test {
namespace {

/// Lowers the limit on descriptors while it lives, so that no further one can be made.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    check(::getrlimit(RLIMIT_NOFILE, &before_) == 0, "getrlimit");
    // The lowest free number is the one that the next descriptor would get.
    const posix::Descriptor next(::dup(0));
    rlimit lowered = before_;
    lowered.rlim_cur = static_cast<rlim_t>(next.get());
    check(::setrlimit(RLIMIT_NOFILE, &lowered) == 0, "setrlimit");
  }
  NoMoreDescriptors(const NoMoreDescriptors&) = delete;
  NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;
  ~NoMoreDescriptors() { static_cast<void>(::setrlimit(RLIMIT_NOFILE, &before_)); }

 private:
  rlimit before_{};
};

void unix_sockets_work(const Backend& backend) {
  TestPort port(backend);
  const std::string path = std::string(1, '\0') + "iocp-conformance-" + std::to_string(::getpid());
  const HandleRef listener = port.listen(path);
  const Token accept = port.accept(listener);
  const HandleRef client = port.open_to(listener);
  check_equal(port.finish(port.connect(client)), 0, "the result of the connect");
  const HandleRef server = port.next_accepted(accept);
  const Token recv = port.recv(server);
  const std::string text = pattern(1 << 20);
  const Token sent = port.send(client, text);
  port.run_until([&] { return port.outcome(recv).data.size() == text.size(); }, "everything arrives");
  check(port.outcome(recv).data == text, "the bytes and their order");
  check_equal(port.finish(sent), text.size(), "the result of the send");
  check_equal(port.finish(port.shutdown(client)), 0, "the result of the shutdown");
  check_equal(port.finish(recv), 0, "the end of the stream");
}

void accept_without_descriptors_ends_with_an_error(const Backend& backend) {
  TestPort port(backend);
  const HandleRef listener = port.listen();
  Peer first(port, listener);
  const Token refused = port.accept(listener);
  {
    const NoMoreDescriptors limit;
    check_equal(port.finish(refused), -error_number::kEMFILE, "the result of the accept");
    check(port.outcome(refused).accepted.empty(), "no connection is made up");
  }
  const Token accept = port.accept(listener);
  const HandleRef accepted = port.next_accepted(accept);
  check_equal(port.finish(port.send(accepted, "at last")), 7, "the result of the send");
  check_equal(first.read(port, 7), std::string("at last"), "what the waiting peer got");
}

void a_duplicate_of_a_closed_descriptor_disturbs_nobody(const Backend& backend) {
  TestPort port(backend);
  Pair old = make_pair(port);
  const posix::Descriptor duplicate(::dup(static_cast<int>(port.engine().find(old.handle)->native)));
  check_equal(port.finish(port.close(old.handle)), 0, "the result of the close");
  Pair next = make_pair(port);
  const Token recv = port.recv(next.handle);
  old.peer.send(port, "is anybody there?");
  old.peer.end();
  port.settle_down();
  check(port.outcome(recv).events.empty(), "the new connection got nothing");
  check(port.engine().prepare_wait(), "the port can sleep");
}

constexpr Assertion kAssertions[] = {
    {"Unix sockets work", unix_sockets_work},
    {"an accept without descriptors ends with an error", accept_without_descriptors_ends_with_an_error},
    {"a duplicate of a closed descriptor disturbs nobody",
     a_duplicate_of_a_closed_descriptor_disturbs_nobody},
};

}  // namespace

std::span<const Assertion> system_assertions() { return kAssertions; }

}  // namespace iocp::test
