// The one class JavaScript sees: numbers and strings down, batches of numbers up.
//
// created -> running -> closed. `shutdown` joins every native thread; the environment's clean-up
// hook does the same for whoever forgot. Events are delivered with plain C calls whose statuses
// are checked: the C++ helpers abort the process when a worker is terminated with events queued.
// Methods do use them: NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS (binding.gyp) lets one end quietly
// whose answer cannot be made because its worker is being terminated.
#pragma once

#include <napi.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "core/file/storage.h"
#include "core/lane/engine.h"

namespace fr {

class EngineWrap : public Napi::ObjectWrap<EngineWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit EngineWrap(const Napi::CallbackInfo& info);
  ~EngineWrap() override;

 private:
  // A data directory, and the place of the threads that work on it.
  struct Dir {
    uint32_t place = 0;
    std::string path{};
    std::shared_ptr<DataDir> open{};  // empty while it is being opened
  };
  struct Dirs {
    std::mutex mutex;
    std::map<uint32_t, Dir> all;
  };

  Napi::Value open_transfer(const Napi::CallbackInfo& info);
  void add_stream(const Napi::CallbackInfo& info);
  Napi::Value adopt(const Napi::CallbackInfo& info);
  void set_route(const Napi::CallbackInfo& info);
  void assign(const Napi::CallbackInfo& info);
  void hold(const Napi::CallbackInfo& info);
  void skip(const Napi::CallbackInfo& info);
  void ask(const Napi::CallbackInfo& info);
  void grow(const Napi::CallbackInfo& info);
  void cut(const Napi::CallbackInfo& info);
  void forget(const Napi::CallbackInfo& info);
  void send(const Napi::CallbackInfo& info);
  void send_digests(const Napi::CallbackInfo& info);
  void relay_digests(const Napi::CallbackInfo& info);
  void bridge(const Napi::CallbackInfo& info);
  void serve(const Napi::CallbackInfo& info);
  void stop_serving(const Napi::CallbackInfo& info);
  void finish(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);
  void close_transfer(const Napi::CallbackInfo& info);
  void limit(const Napi::CallbackInfo& info);
  void limit_transfer(const Napi::CallbackInfo& info);
  void limit_feeds(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value counters(const Napi::CallbackInfo& info);
  void shutdown(const Napi::CallbackInfo& info);

  // storage_wrap.cc: each takes an operation number and answers with a kDone event.
  void open_source(const Napi::CallbackInfo& info);
  void check_source(const Napi::CallbackInfo& info);
  void open_data_dir(const Napi::CallbackInfo& info);
  void check_name(const Napi::CallbackInfo& info);
  void create_partial(const Napi::CallbackInfo& info);
  void open_partial(const Napi::CallbackInfo& info);
  void open_held(const Napi::CallbackInfo& info);
  void remove(const Napi::CallbackInfo& info);
  void identity_of(const Napi::CallbackInfo& info);
  void read(const Napi::CallbackInfo& info);
  void copy_in(const Napi::CallbackInfo& info);
  void publish(const Napi::CallbackInfo& info);
  void probe(const Napi::CallbackInfo& info);
  void flush(const Napi::CallbackInfo& info);
  void trim(const Napi::CallbackInfo& info);
  void join_file(const Napi::CallbackInfo& info);
  void refresh_data_dir(const Napi::CallbackInfo& info);
  void list_partials(const Napi::CallbackInfo& info);
  void look_at(const Napi::CallbackInfo& info);
  void list_entries(const Napi::CallbackInfo& info);
  void place_entries(const Napi::CallbackInfo& info);
  void discard(const Napi::CallbackInfo& info);
  void expire_partials(const Napi::CallbackInfo& info);
  void free_bytes(const Napi::CallbackInfo& info);
  void close_file(const Napi::CallbackInfo& info);
  void close_data_dir(const Napi::CallbackInfo& info);

  // Runs `work` on a disk thread and answers operation `info[0]` with what it returns.
  struct Done {
    Status status;
    double result[5] = {};
    std::string text{};
  };
  void run(const Napi::CallbackInfo& info, uint32_t place, bool names, std::function<Done()> work);
  // The same for work on a data directory, whose handle is `info[1]`: on its own threads.
  void run_in(const Napi::CallbackInfo& info, std::function<Done(DataDir&)> work);
  struct Publication;
  static Publication publication_at(const Napi::CallbackInfo& info);
  static void answer(Engine& engine, double operation, const Done& done);

  static uint16_t route_at(const Napi::CallbackInfo& info, size_t index);
  static void call_js(napi_env env, napi_value callback, void* context, void* data);
  static void on_environment_end(EngineWrap* self);
  void deliver(napi_env env, napi_value callback);
  void stop();

  // Handles of the files opened through this engine: closed with it.
  struct Files {
    std::mutex mutex;
    std::set<uint32_t> handles;
  };
  void own(uint32_t file);

  napi_env env_;
  std::unique_ptr<Engine> engine_;
  napi_threadsafe_function wake_ = nullptr;
  Napi::Env::CleanupHook<void (*)(EngineWrap*), EngineWrap> hook_;
  Files files_;
  // What runs on a data directory keeps it open, and is all on one thread.
  std::shared_ptr<Dirs> dirs_ = std::make_shared<Dirs>();
  uint32_t next_dir_ = 1;
  // Places of directories that were closed, by path: what opens one again waits behind that.
  std::map<std::string, uint32_t> closed_;
  size_t pending_ = 0;  // operations not answered: they keep the process alive
};

// Throws TypeError for misuse, Error with a stable `code` for the rest.
void throw_answer(Napi::Env env, const Answer& answer);
void throw_status(Napi::Env env, Status status);
const char* code_name(Code code);

// Arguments, checked: a TypeError names the one that is wrong.
uint64_t number_at(const Napi::CallbackInfo& info, size_t index, const char* name,
                   double max = 9007199254740991.0);
uint32_t handle_at(const Napi::CallbackInfo& info, size_t index, const char* name);
bool flag_at(const Napi::CallbackInfo& info, size_t index);
std::string bytes_at(const Napi::CallbackInfo& info, size_t index, const char* name);
std::string text_at(const Napi::CallbackInfo& info, size_t index, const char* name);

}  // namespace fr
