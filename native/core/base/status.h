// What every native call answers: a code of errors.def and the operating system's number.
//
// The idea: one small value, returned, never thrown. Codes are those of the one error table, so the
// binding hands two numbers to TypeScript, which owns the classes and the words. EINTR never
// leaves a wrapper, so it never shows up here.
#pragma once

#include <cerrno>

namespace fr {

enum class Code : int {
  kOk = 0,
#define X(number, name) name = number,
#include "core/base/errors.def"
#undef X
};

struct [[nodiscard]] Status {
  Code code = Code::kOk;
  // errno behind the code, 0 where there is none.
  int sys_errno = 0;
  // A literal: the system call that failed, or, of a refused name, what is wrong with it.
  const char* what = nullptr;

  bool ok() const { return code == Code::kOk; }
};

inline constexpr Status kOkStatus{};

// The code of a failed system call: `otherwise`, but for causes that have a code of their own.
constexpr Code code_of_errno(int error, Code otherwise = Code::ERR_FR_IO) {
  if (error == ENOSPC || error == EDQUOT) return Code::ERR_FR_NO_SPACE;
  if (error == EMFILE || error == ENFILE) return Code::ERR_FR_LIMIT;
  return otherwise;
}

constexpr Status status_of_errno(int error, const char* call) {
  return Status{code_of_errno(error), error, call};
}

}  // namespace fr
