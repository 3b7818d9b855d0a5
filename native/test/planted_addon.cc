// planted.node: the same faults inside a Node process, and the leak check on demand, because test
// workers are ended by a signal, which runs no check at exit. See planted.h.
#include <napi.h>

#include "test/planted.h"

extern "C" __attribute__((weak)) int __lsan_do_recoverable_leak_check();

namespace {

void plant(const Napi::CallbackInfo& info) {
  if (!fr_planted::plant(info[0].ToString().Utf8Value())) {
    throw Napi::TypeError::New(info.Env(), "no such fault");
  }
}

void check_leaks(const Napi::CallbackInfo&) {
  if (__lsan_do_recoverable_leak_check != nullptr) __lsan_do_recoverable_leak_check();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("plant", Napi::Function::New(env, plant));
  exports.Set("checkLeaks", Napi::Function::New(env, check_leaks));
  return exports;
}

NODE_API_MODULE(planted, init)

}  // namespace
