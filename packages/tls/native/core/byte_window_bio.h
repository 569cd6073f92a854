#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/credentials.h"
#include "core/openssl_handles.h"

namespace iocp::tls {

/// What an SSL reads from and writes to: memory of the caller, in windows that are open during one call. What is written
/// while there is no room spills into memory of its own, which is freed when it was taken.
class ByteWindowBio {
 public:
  ByteWindowBio() = default;
  ByteWindowBio(const ByteWindowBio&) = delete;
  ByteWindowBio& operator=(const ByteWindowBio&) = delete;

  /// A BIO on this object, which has to outlive it. Null when out of memory.
  [[nodiscard]] BioHandle open() noexcept;

  void open_input(Bytes input) noexcept { input_ = input; }
  [[nodiscard]] std::size_t input_left() const noexcept { return input_.size(); }
  void skip_input(std::size_t size) noexcept { input_ = input_.subspan(size); }
  void close_input() noexcept { input_ = {}; }

  void open_output(std::span<std::uint8_t> room) noexcept { room_ = room; }
  [[nodiscard]] std::size_t room_left() const noexcept { return room_.size(); }
  /// Where the next output may be put without a copy: nowhere behind what was spilled. `fill` says how much was.
  [[nodiscard]] std::span<std::uint8_t> room() const noexcept {
    return spilled() > 0 ? std::span<std::uint8_t>() : room_;
  }
  void fill(std::size_t size) noexcept { room_ = room_.subspan(size); }
  void close_output() noexcept { room_ = {}; }

  [[nodiscard]] std::size_t spilled() const noexcept { return spill_.size() - taken_; }
  /// Moves the oldest of what was spilled. @returns how many bytes
  std::size_t take_spilled(std::span<std::uint8_t> output) noexcept;

  /// For the BIO. @returns how many bytes, 0 when there are none
  std::size_t read(std::span<char> data) noexcept;
  /// For the BIO: takes all of it.
  void write(std::span<const char> data) noexcept;

 private:
  Bytes input_;
  std::span<std::uint8_t> room_;
  std::vector<std::uint8_t> spill_;
  std::size_t taken_ = 0;
};

}  // namespace iocp::tls
