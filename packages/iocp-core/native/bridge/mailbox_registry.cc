#include "bridge/mailbox_registry.h"

#include <mutex>
#include <unordered_map>
#include <utility>

namespace iocp::mailbox_registry {

namespace {

struct Entry {
  std::shared_ptr<Mailbox> mailbox;
  std::uint32_t token;
  std::uint32_t generation;
};

struct Registry {
  std::mutex mutex;
  std::unordered_map<std::uint64_t, Entry> entries;
  std::uint64_t next = 1;
};

Registry& registry() {
  // Never destroyed: threads may still post while the process exits.
  static auto* instance = new Registry;
  return *instance;
}

}  // namespace

std::uint64_t open(std::shared_ptr<Mailbox> mailbox, std::uint32_t token, std::uint32_t generation) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.entries.emplace(all.next, Entry{std::move(mailbox), token, generation});
  return all.next++;
}

void close(std::uint64_t id) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.entries.erase(id);
}

bool post(std::uint64_t id, std::int32_t value) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  const auto found = all.entries.find(id);
  if (found == all.entries.end()) return false;
  return found->second.mailbox->post({found->second.token, found->second.generation, value});
}

}  // namespace iocp::mailbox_registry
