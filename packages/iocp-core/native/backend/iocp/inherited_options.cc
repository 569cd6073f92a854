#include "backend/iocp/inherited_options.h"

#include <string>
#include <string_view>

namespace iocp {
namespace {

constexpr std::string_view kInherited[] = {
    "noDelay",    "keepAlive", "keepAliveIdle", "keepAliveInterval", "keepAliveCount", "receiveBuffer",
    "sendBuffer", "linger",    "ttl",
};

}  // namespace

void InheritedOptions::read(NativeHandle listener, NativeHandle fresh) {
  options_.clear();
  for (const std::string_view name : kInherited) {
    const net::Result<net::OptionValue> theirs = net::get_option(listener, name);
    const net::Result<net::OptionValue> usual = net::get_option(fresh, name);
    // Not every socket has every option: Unix sockets have few.
    if (theirs && usual && theirs.value() != usual.value()) {
      options_.push_back({std::string(name), theirs.value()});
    }
  }
}

void InheritedOptions::apply(NativeHandle connection) const {
  for (const net::NamedOption& option : options_) {
    static_cast<void>(net::set_option(connection, option.name, option.value));
  }
}

}  // namespace iocp
