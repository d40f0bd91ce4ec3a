#pragma once
// Linux: system calls that a program may not make. What no rule names is allowed; a program that calls by
// the numbers of another architecture is killed, so that none goes around. For this thread and all that it
// starts, for ever. One thread; allocates nothing: async-signal-safe.
//
// An argument is looked at by its low half, which is all that the kernel takes of the ones meant here; what
// lies behind a pointer cannot be looked at.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace hearth {

class SystemCallFilter {
 public:
  SystemCallFilter();
  // One rule for a number; the first one counts.
  void refuse(unsigned number, int error_number);
  // By an argument (from 0) of which `mask` is looked at.
  struct Argument {
    unsigned index = 0;
    std::uint32_t mask = 0xFFFFFFFF;
  };
  void refuse_if(unsigned number, Argument argument, std::initializer_list<std::uint32_t> values, int error_number);
  void refuse_unless(unsigned number, Argument argument, std::initializer_list<std::uint32_t> values, int error_number);
  // Needs no_new_privs. False (errno set) where the kernel or the processor is one we have no filter for.
  bool install();

 private:
  struct Instruction {
    std::uint16_t code = 0;
    std::uint8_t if_true = 0, if_false = 0;
    std::uint32_t value = 0;
  };
  void add(unsigned code, std::uint32_t value, std::uint8_t if_true = 0, std::uint8_t if_false = 0);
  void on_argument(unsigned number, Argument argument, std::initializer_list<std::uint32_t> values, std::uint32_t among, std::uint32_t otherwise);
  std::array<Instruction, 256> code_;
  std::size_t count_ = 0;  // beyond the room: too many rules, nothing is installed
};

}  // namespace hearth
