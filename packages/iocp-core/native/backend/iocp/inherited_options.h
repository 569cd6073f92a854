#pragma once

#include <vector>

#include "backend/net/socket_options.h"
#include "core/handle.h"

namespace iocp {

/// The options that connections take over from their listener. Linux does that by itself; a connection of AcceptEx is a
/// socket of its own, of which Windows does not say what it takes over.
class InheritedOptions {
 public:
  /// Remembers in which options `listener` differs from `fresh`, a socket of the same family with which nothing was done.
  void read(NativeHandle listener, NativeHandle fresh);

  /// Sets them on a connection. What fails is left as it is: the connection is worth more than an option.
  void apply(NativeHandle connection) const;

 private:
  std::vector<net::NamedOption> options_;
};

}  // namespace iocp
