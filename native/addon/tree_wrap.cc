#include "addon/tree_wrap.h"

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "addon/engine_wrap.h"
#include "core/hash/tree.h"

namespace fr {
namespace {

// A call under way. Plain C calls whose statuses are checked: nothing may be thrown where the
// environment is being torn down.
struct Work {
  std::function<Status(std::string*)> run;
  std::string answer{};
  Status status{};
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
};

void execute(napi_env, void* data) {
  auto* const work = static_cast<Work*>(data);
  work->status = work->run(&work->answer);
}

bool make_text(napi_env env, const char* text, napi_value* out) {
  return napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, out) == napi_ok;
}

// An error as of throw_status, with what failed.
bool make_error(napi_env env, Status status, napi_value* out) {
  napi_value code, what, number;
  return make_text(env, code_name(status.code), &code) &&
         make_text(env, status.what == nullptr ? "" : status.what, &what) &&
         napi_create_error(env, code, what, out) == napi_ok &&
         napi_create_int32(env, status.sys_errno, &number) == napi_ok &&
         napi_set_named_property(env, *out, "errno", number) == napi_ok;
}

void complete(napi_env env, napi_status done, void* data) {
  const std::unique_ptr<Work> work(static_cast<Work*>(data));
  napi_delete_async_work(env, work->work);
  if (done != napi_ok) work->status = {Code::ERR_FR_CLOSED, 0};
  napi_value value;
  const std::string& answer = work->answer;
  if (!work->status.ok()) {
    if (make_error(env, work->status, &value)) napi_reject_deferred(env, work->deferred, value);
  } else if (napi_create_buffer_copy(env, answer.size(), answer.data(), nullptr, &value) ==
             napi_ok) {
    napi_resolve_deferred(env, work->deferred, value);
  }
}

Napi::Value start(Napi::Env env, std::function<Status(std::string*)> run) {
  auto work = std::make_unique<Work>();
  work->run = std::move(run);
  napi_value promise, name;
  if (napi_create_promise(env, &work->deferred, &promise) != napi_ok ||
      !make_text(env, "fastreplica tree", &name) ||
      napi_create_async_work(env, nullptr, name, execute, complete, work.get(), &work->work) !=
          napi_ok) {
    throw_status(env, {Code::ERR_FR_LIMIT, 0});
  }
  if (napi_queue_async_work(env, work->work) != napi_ok) {
    napi_delete_async_work(env, work->work);
    throw_status(env, {Code::ERR_FR_LIMIT, 0});
  }
  static_cast<void>(work.release());  // `complete` owns it
  return {env, promise};
}

std::string path_at(const Napi::CallbackInfo& info, size_t index, const char* name) {
  std::string path = bytes_at(info, index, name);
  if (path.empty() || path.find('\0') != std::string::npos) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + ": empty, or holds a NUL");
  }
  return path;
}

}  // namespace

Napi::Value tree_list_js(const Napi::CallbackInfo& info) {
  const std::string directory = path_at(info, 0, "directory");
  const std::string bytes = bytes_at(info, 1, "identity");
  TreeIdentity identity;
  if (bytes.size() != identity.size()) {
    throw Napi::TypeError::New(info.Env(), "identity: of another length");
  }
  std::memcpy(identity.data(), bytes.data(), identity.size());
  const bool has_names = info.Length() > 2 && !info[2].IsUndefined();
  std::string names = has_names ? bytes_at(info, 2, "names") : std::string();
  const TreeWants wants{.xattrs = flag_at(info, 3), .acls = flag_at(info, 4)};
  return start(info.Env(), [=, names = std::move(names)](std::string* out) -> Status {
    out->push_back(1);
    if (has_names) return look_at(directory, identity, names, wants, out);
    std::string found;
    size_t count = 0;
    if (Status status = list_names(directory, identity, &found, &count); !status.ok()) {
      return status;
    }
    if (count <= kTreeLooks) return look_at(directory, identity, found, wants, out);
    *out = '\0' + found;
    return kOkStatus;
  });
}

Napi::Value tree_read_js(const Napi::CallbackInfo& info) {
  std::string asked = bytes_at(info, 0, "asked");
  const auto algorithm = static_cast<Algorithm>(number_at(info, 1, "algorithm", kAlgorithms - 1));
  const uint64_t block = number_at(info, 2, "blockBytes");
  if (block == 0) throw Napi::TypeError::New(info.Env(), "blockBytes: zero");
  const bool is_written = info.Length() > 3 && !info[3].IsUndefined();
  const int into = is_written ? static_cast<int>(number_at(info, 3, "into", 1 << 30)) : -1;
  return start(info.Env(), [=, asked = std::move(asked)](std::string* out) {
    return read_files(asked, algorithm, block, into, out);
  });
}

}  // namespace fr
