#include "core/byte_window_bio.h"

#include <algorithm>
#include <cstring>

namespace iocp::tls {

namespace {

ByteWindowBio& windows_of(BIO* bio) noexcept { return *static_cast<ByteWindowBio*>(BIO_get_data(bio)); }

int on_read(BIO* bio, char* data, std::size_t size, std::size_t* done) {
  BIO_clear_retry_flags(bio);
  *done = windows_of(bio).read({data, size});
  if (*done > 0) return 1;
  BIO_set_retry_read(bio);
  return -1;
}

int on_write(BIO* bio, const char* data, std::size_t size, std::size_t* done) {
  BIO_clear_retry_flags(bio);
  windows_of(bio).write({data, size});
  *done = size;
  return 1;
}

long on_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BioMethodHandle make_method() noexcept {
  // Without an index of its own, of which a process has few: nobody looks for this BIO by its type.
  BioMethodHandle method(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "byte windows"));
  if (method == nullptr || BIO_meth_set_read_ex(method.get(), on_read) != 1 ||
      BIO_meth_set_write_ex(method.get(), on_write) != 1 ||
      BIO_meth_set_ctrl(method.get(), on_control) != 1) {
    return nullptr;
  }
  return method;
}

}  // namespace

BioHandle ByteWindowBio::open() noexcept {
  // Constant from the first use on, and so shared by all threads.
  static const BioMethodHandle method = make_method();
  BioHandle bio(method == nullptr ? nullptr : BIO_new(method.get()));
  if (bio != nullptr) {
    BIO_set_data(bio.get(), this);
    BIO_set_init(bio.get(), 1);
  }
  return bio;
}

std::size_t ByteWindowBio::read(std::span<char> data) noexcept {
  const std::size_t size = std::min(data.size(), input_.size());
  if (size == 0) return 0;
  std::memcpy(data.data(), input_.data(), size);
  input_ = input_.subspan(size);
  return size;
}

void ByteWindowBio::write(std::span<const char> data) noexcept {
  // Behind what was spilled before, or the records would change places.
  const std::size_t size = spilled() > 0 ? 0 : std::min(data.size(), room_.size());
  if (size > 0) {
    std::memcpy(room_.data(), data.data(), size);
    room_ = room_.subspan(size);
  }
  const std::span<const char> rest = data.subspan(size);
  spill_.insert(spill_.end(), rest.begin(), rest.end());
}

std::size_t ByteWindowBio::take_spilled(std::span<std::uint8_t> output) noexcept {
  const std::size_t size = std::min(output.size(), spilled());
  if (size == 0) return 0;
  std::memcpy(output.data(), spill_.data() + taken_, size);
  taken_ += size;
  if (spilled() == 0) {
    std::vector<std::uint8_t>().swap(spill_);
    taken_ = 0;
  }
  return size;
}

}  // namespace iocp::tls
