#include "addon/engine_wrap.h"

#include <cstring>
#include <system_error>
#include <vector>

namespace fr {
namespace {

constexpr double kRateMax = 1e15;
constexpr double kWeightMax = 100;

}  // namespace

Napi::Function EngineWrap::define(Napi::Env env) {
  using W = EngineWrap;
  return DefineClass(env, "Engine",
                     {InstanceMethod<&W::open_transfer>("openTransfer"),
                      InstanceMethod<&W::add_stream>("addStream"),
                      InstanceMethod<&W::adopt>("adopt"),
                      InstanceMethod<&W::set_route>("setRoute"),
                      InstanceMethod<&W::assign>("assign"),
                      InstanceMethod<&W::hold>("hold"),
                      InstanceMethod<&W::skip>("skip"),
                      InstanceMethod<&W::ask>("ask"),
                      InstanceMethod<&W::grow>("grow"),
                      InstanceMethod<&W::cut>("cut"),
                      InstanceMethod<&W::forget>("forget"),
                      InstanceMethod<&W::send>("send"),
                      InstanceMethod<&W::send_digests>("sendDigests"),
                      InstanceMethod<&W::relay_digests>("relayDigests"),
                      InstanceMethod<&W::bridge>("bridge"),
                      InstanceMethod<&W::serve>("serve"),
                      InstanceMethod<&W::stop_serving>("stopServing"),
                      InstanceMethod<&W::finish>("finish"),
                      InstanceMethod<&W::close>("close"),
                      InstanceMethod<&W::close_transfer>("closeTransfer"),
                      InstanceMethod<&W::limit>("limit"),
                      InstanceMethod<&W::limit_transfer>("limitTransfer"),
                      InstanceMethod<&W::limit_feeds>("limitFeeds"),
                      InstanceMethod<&W::stats>("stats"),
                      InstanceMethod<&W::counters>("counters"),
                      InstanceMethod<&W::shutdown>("shutdown"),
                      InstanceMethod<&W::open_source>("openSource"),
                      InstanceMethod<&W::check_source>("checkSource"),
                      InstanceMethod<&W::open_data_dir>("openDataDir"),
                      InstanceMethod<&W::check_name>("checkName"),
                      InstanceMethod<&W::create_partial>("createPartial"),
                      InstanceMethod<&W::open_partial>("openPartial"),
                      InstanceMethod<&W::open_held>("openHeld"),
                      InstanceMethod<&W::remove>("remove"),
                      InstanceMethod<&W::identity_of>("identityOf"),
                      InstanceMethod<&W::read>("read"),
                      InstanceMethod<&W::copy_in>("copyIn"),
                      InstanceMethod<&W::publish>("publish"),
                      InstanceMethod<&W::look_at>("lookAt"),
                      InstanceMethod<&W::list_entries>("listEntries"),
                      InstanceMethod<&W::place_entries>("placeEntries"),
                      InstanceMethod<&W::discard>("discard"),
                      InstanceMethod<&W::expire_partials>("expirePartials"),
                      InstanceMethod<&W::probe>("probe"),
                      InstanceMethod<&W::flush>("flush"),
                      InstanceMethod<&W::trim>("trim"),
                      InstanceMethod<&W::join_file>("joinFile"),
                      InstanceMethod<&W::refresh_data_dir>("refreshDataDir"),
                      InstanceMethod<&W::list_partials>("listPartials"),
                      InstanceMethod<&W::free_bytes>("freeBytes"),
                      InstanceMethod<&W::close_file>("closeFile"),
                      InstanceMethod<&W::close_data_dir>("closeDataDir")});
}

// new Engine(lanes, (numbers: Float64Array, bytes: Uint8Array) => void)
EngineWrap::EngineWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<EngineWrap>(info), env_(info.Env()) {
  const int lanes = static_cast<int>(number_at(info, 0, "lanes", 64));
  if (info.Length() < 2 || !info[1].IsFunction()) {
    throw Napi::TypeError::New(env_, "callback: not a function");
  }
  const napi_value name = Napi::String::New(env_, "fastreplica");
  // Two places are enough: a wake says that there is something, not what.
  if (napi_create_threadsafe_function(env_, info[1], nullptr, name, 2, 1, nullptr, nullptr, this,
                                      call_js, &wake_) != napi_ok) {
    throw Napi::Error::New(env_, "no thread-safe function");
  }
  napi_unref_threadsafe_function(env_, wake_);
  try {
    engine_ = std::make_unique<Engine>(lanes, [wake = wake_] {
      napi_call_threadsafe_function(wake, nullptr, napi_tsfn_nonblocking);
    });
  } catch (const std::system_error& error) {
    napi_release_threadsafe_function(std::exchange(wake_, nullptr), napi_tsfn_abort);
    throw_status(env_, {Code::ERR_FR_LIMIT, error.code().value()});
  }
  // Hooks run last in, first out: this one joins the threads before the function above closes.
  hook_ = Napi::Env(env_).AddCleanupHook(&on_environment_end, this);
}

EngineWrap::~EngineWrap() { stop(); }

void EngineWrap::on_environment_end(EngineWrap* self) { self->stop(); }

void EngineWrap::stop() {
  if (engine_ == nullptr || !engine_->is_running()) return;
  engine_->stop();
  dirs_->all.clear();  // nobody else is left to touch these
  for (const uint32_t file : files_.handles) file_table_remove(file);
  files_.handles.clear();
  napi_release_threadsafe_function(std::exchange(wake_, nullptr), napi_tsfn_abort);
}

void EngineWrap::shutdown(const Napi::CallbackInfo& info) {
  if (engine_->is_running()) hook_.Remove(info.Env());
  stop();
}

void EngineWrap::call_js(napi_env env, napi_value callback, void* context, void*) {
  if (env == nullptr || callback == nullptr) return;
  static_cast<EngineWrap*>(context)->deliver(env, callback);
}

void EngineWrap::deliver(napi_env env, napi_value callback) {
  if (!engine_->is_running()) return;
  const EventBatch batch = engine_->take_events();
  if (batch.empty()) return;
  const size_t numbers = batch.events.size() * kEventNumbers;
  void* into = nullptr;
  napi_value buffer, argv[2], receiver, result;
  if (napi_create_arraybuffer(env, numbers * sizeof(double), &into, &buffer) != napi_ok) return;
  std::memcpy(into, batch.events.data(), numbers * sizeof(double));
  if (napi_create_typedarray(env, napi_float64_array, numbers, buffer, 0, &argv[0]) != napi_ok) {
    return;
  }
  if (napi_create_arraybuffer(env, batch.side.size(), &into, &buffer) != napi_ok) return;
  if (!batch.side.empty()) std::memcpy(into, batch.side.data(), batch.side.size());
  if (napi_create_typedarray(env, napi_uint8_array, batch.side.size(), buffer, 0, &argv[1]) !=
      napi_ok) {
    return;
  }
  for (const Event& event : batch.events) {
    if (static_cast<EventType>(static_cast<int>(event.v[0])) != EventType::kDone) continue;
    if (--pending_ == 0) napi_unref_threadsafe_function(env, wake_);
  }
  if (napi_get_undefined(env, &receiver) != napi_ok) return;
  if (napi_call_function(env, receiver, callback, 2, argv, &result) == napi_pending_exception) {
    napi_value exception;
    if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) {
      napi_fatal_exception(env, exception);
    }
  }
  engine_->forget_ended();
}

uint16_t EngineWrap::route_at(const Napi::CallbackInfo& info, size_t index) {
  return static_cast<uint16_t>(number_at(info, index, "route", 65'535));
}

// openTransfer(userTimeoutMs, dir; 0: of none) -> handle
Napi::Value EngineWrap::open_transfer(const Napi::CallbackInfo& info) {
  uint32_t handle = 0;
  const int user_timeout_ms = static_cast<int>(number_at(info, 0, "userTimeoutMs", 1 << 30));
  const uint32_t dir = handle_at(info, 1, "dir");
  uint32_t place = 0;
  if (dir != 0) {
    std::lock_guard<std::mutex> hold(dirs_->mutex);
    const auto found = dirs_->all.find(dir);
    if (found != dirs_->all.end()) place = found->second.place;
  }
  throw_answer(info.Env(), engine_->open_transfer(user_timeout_ms, &handle, place));
  return Napi::Number::New(info.Env(), handle);
}

// addStream(transfer, stream, file, scratch, size, blockBytes, complete, sparse, growing,
//           algorithm?)
void EngineWrap::add_stream(const Napi::CallbackInfo& info) {
  StreamRequest request;
  request.transfer = handle_at(info, 0, "transfer");
  request.stream = handle_at(info, 1, "stream");
  request.file = handle_at(info, 2, "file");
  request.scratch = handle_at(info, 3, "scratch");
  request.size = number_at(info, 4, "size");
  request.block_bytes = number_at(info, 5, "blockBytes");
  request.complete = flag_at(info, 6);
  request.sparse = flag_at(info, 7);
  request.growing = flag_at(info, 8);
  if (info[9].IsNumber()) {
    request.hashes = static_cast<Algorithm>(number_at(info, 9, "algorithm", kAlgorithms - 1));
  }
  throw_answer(info.Env(), engine_->add_stream(request));
}

// The key and the salt behind it.
SealSecret seal_secret_at(const Napi::CallbackInfo& info, size_t at) {
  SealSecret secret;
  const size_t size = secret.key.size() + secret.salt.size();
  if (!info[at].IsTypedArray() || info[at].As<Napi::Uint8Array>().ByteLength() != size)
    throw Napi::TypeError::New(info.Env(), "seal: not 36 bytes");
  const auto bytes = info[at].As<Napi::Uint8Array>();
  std::copy_n(bytes.Data(), secret.key.size(), secret.key.begin());
  std::copy_n(bytes.Data() + secret.key.size(), secret.salt.size(), secret.salt.begin());
  return secret;
}

// adopt(fd, transfer, out, seed: bigint, congestion, asked, beside, seal?: Uint8Array) -> handle;
// 0: beside none
Napi::Value EngineWrap::adopt(const Napi::CallbackInfo& info) {
  FeedRequest request;
  if (!info[0].IsNumber()) throw Napi::TypeError::New(info.Env(), "socket: no descriptor");
  request.fd = info[0].As<Napi::Number>().Int32Value();
  request.transfer = handle_at(info, 1, "transfer");
  request.is_out = flag_at(info, 2);
  bool lossless = false;
  if (!info[3].IsBigInt()) throw Napi::TypeError::New(info.Env(), "seed: not a bigint");
  request.seed = info[3].As<Napi::BigInt>().Uint64Value(&lossless);
  request.congestion = text_at(info, 4, "congestion");
  request.is_asked = flag_at(info, 5);
  request.beside = static_cast<uint32_t>(number_at(info, 6, "beside", UINT32_MAX));
  if (!info[7].IsUndefined()) request.seal = seal_secret_at(info, 7);
  uint32_t handle = 0;
  throw_answer(info.Env(), engine_->adopt(request, &handle));
  return Napi::Number::New(info.Env(), handle);
}

Napi::Float64Array numbers_at(const Napi::CallbackInfo& info, size_t at, const char* name) {
  if (info.Length() <= at || !info[at].IsTypedArray() ||
      info[at].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + ": not a Float64Array");
  }
  return info[at].As<Napi::Float64Array>();
}

// setRoute(transfer, route, targets: Float64Array of feed, next, first for each)
void EngineWrap::set_route(const Napi::CallbackInfo& info) {
  const uint32_t transfer = handle_at(info, 0, "transfer");
  const uint16_t route = route_at(info, 1);
  constexpr size_t kNumbers = 3;
  const auto numbers = numbers_at(info, 2, "targets");
  std::vector<RouteRequest> targets;
  for (size_t at = 0; at + kNumbers <= numbers.ElementLength(); at += kNumbers) {
    targets.push_back({static_cast<uint32_t>(numbers[at]), static_cast<uint16_t>(numbers[at + 1]),
                       numbers[at + 2] != 0});
  }
  throw_answer(info.Env(), engine_->set_route(transfer, route, std::move(targets)));
}

// assign(transfer, stream, offset, length, route)
void EngineWrap::assign(const Napi::CallbackInfo& info) {
  const uint32_t transfer = handle_at(info, 0, "transfer");
  const uint32_t stream = handle_at(info, 1, "stream");
  const uint64_t offset = number_at(info, 2, "offset");
  const uint64_t length = number_at(info, 3, "length");
  throw_answer(info.Env(), engine_->assign(transfer, stream, offset, length, route_at(info, 4)));
}

// hold(transfer, stream, offset, length)
void EngineWrap::hold(const Napi::CallbackInfo& info) {
  const uint32_t transfer = handle_at(info, 0, "transfer");
  const uint32_t stream = handle_at(info, 1, "stream");
  const uint64_t offset = number_at(info, 2, "offset");
  throw_answer(info.Env(), engine_->hold(transfer, stream, offset, number_at(info, 3, "length")));
}

// skip(feed, stream, offset, length)
void EngineWrap::skip(const Napi::CallbackInfo& info) {
  const uint32_t feed = handle_at(info, 0, "feed");
  const uint32_t stream = handle_at(info, 1, "stream");
  const uint64_t offset = number_at(info, 2, "offset");
  throw_answer(info.Env(), engine_->skip(feed, stream, offset, number_at(info, 3, "length")));
}

// ask(feed, stream, offset, length, scratch)
void EngineWrap::ask(const Napi::CallbackInfo& info) {
  const uint32_t feed = handle_at(info, 0, "feed");
  const uint32_t stream = handle_at(info, 1, "stream");
  const uint64_t offset = number_at(info, 2, "offset");
  const uint64_t length = number_at(info, 3, "length");
  throw_answer(info.Env(), engine_->ask(feed, stream, offset, length, flag_at(info, 4)));
}

// grow(transfer, stream, size, isFinal)
void EngineWrap::grow(const Napi::CallbackInfo& info) {
  const uint32_t transfer = handle_at(info, 0, "transfer");
  const uint32_t stream = handle_at(info, 1, "stream");
  const uint64_t size = number_at(info, 2, "size");
  throw_answer(info.Env(), engine_->grow(transfer, stream, size, flag_at(info, 3)));
}

// cut(transfer, stream, offset, length)
void EngineWrap::cut(const Napi::CallbackInfo& info) {
  const uint32_t transfer = handle_at(info, 0, "transfer");
  const uint32_t stream = handle_at(info, 1, "stream");
  const uint64_t offset = number_at(info, 2, "offset");
  throw_answer(info.Env(), engine_->cut(transfer, stream, offset, number_at(info, 3, "length")));
}

// forget(transfer, stream, before)
void EngineWrap::forget(const Napi::CallbackInfo& info) {
  const uint32_t transfer = handle_at(info, 0, "transfer");
  const uint32_t stream = handle_at(info, 1, "stream");
  throw_answer(info.Env(), engine_->forget(transfer, stream, number_at(info, 2, "before")));
}

// send(feed, stream, offset, length, route, scratch)
void EngineWrap::send(const Napi::CallbackInfo& info) {
  const uint32_t feed = handle_at(info, 0, "feed");
  const uint32_t stream = handle_at(info, 1, "stream");
  const uint64_t offset = number_at(info, 2, "offset");
  const uint64_t length = number_at(info, 3, "length");
  const uint16_t route = route_at(info, 4);
  const uint16_t flags = flag_at(info, 5) ? kFlagScratch : 0;
  throw_answer(info.Env(), engine_->send(feed, stream, offset, length, flags, route));
}

// sendDigests(feed, stream, offset, length, route, payload)
void EngineWrap::send_digests(const Napi::CallbackInfo& info) {
  const uint32_t feed = handle_at(info, 0, "feed");
  const uint32_t stream = handle_at(info, 1, "stream");
  const uint64_t offset = number_at(info, 2, "offset");
  const uint64_t length = number_at(info, 3, "length");
  const std::string payload = bytes_at(info, 5, "payload");
  throw_answer(info.Env(), engine_->send_digests(feed, stream, offset, length, route_at(info, 4),
                                                 {payload.begin(), payload.end()}));
}

// relayDigests(transfer, stream, offset, length, route, payload)
void EngineWrap::relay_digests(const Napi::CallbackInfo& info) {
  const uint32_t transfer = handle_at(info, 0, "transfer");
  const uint32_t stream = handle_at(info, 1, "stream");
  const uint64_t offset = number_at(info, 2, "offset");
  const uint64_t length = number_at(info, 3, "length");
  const std::string payload = bytes_at(info, 5, "payload");
  throw_answer(info.Env(),
               engine_->relay_digests(transfer, stream, offset, length, route_at(info, 4),
                                      {payload.begin(), payload.end()}));
}

// bridge(fd, fd)
void EngineWrap::bridge(const Napi::CallbackInfo& info) {
  int fds[2];
  for (size_t i = 0; i < 2; i++) {
    if (!info[i].IsNumber()) throw Napi::TypeError::New(info.Env(), "socket: no descriptor");
    fds[i] = info[i].As<Napi::Number>().Int32Value();
  }
  throw_answer(info.Env(), engine_->bridge(fds[0], fds[1]));
}

// serve(operation, fd, file, offset, length, stalledMs)
void EngineWrap::serve(const Napi::CallbackInfo& info) {
  ServeRequest request;
  request.operation = static_cast<double>(number_at(info, 0, "operation"));
  if (!info[1].IsNumber()) throw Napi::TypeError::New(info.Env(), "socket: no descriptor");
  request.fd = info[1].As<Napi::Number>().Int32Value();
  request.file = handle_at(info, 2, "file");
  request.offset = number_at(info, 3, "offset");
  request.length = number_at(info, 4, "length");
  request.stalled_ms = static_cast<int>(number_at(info, 5, "stalledMs", INT32_MAX));
  throw_answer(info.Env(), engine_->serve(request));
  if (pending_++ == 0) napi_ref_threadsafe_function(info.Env(), wake_);
}

// stopServing(operation)
void EngineWrap::stop_serving(const Napi::CallbackInfo& info) {
  const auto operation = static_cast<double>(number_at(info, 0, "operation"));
  throw_answer(info.Env(), engine_->stop_serving(operation));
}

void EngineWrap::finish(const Napi::CallbackInfo& info) {
  throw_answer(info.Env(), engine_->finish(handle_at(info, 0, "feed")));
}

void EngineWrap::close(const Napi::CallbackInfo& info) {
  throw_answer(info.Env(), engine_->close(handle_at(info, 0, "feed")));
}

void EngineWrap::close_transfer(const Napi::CallbackInfo& info) {
  throw_answer(info.Env(), engine_->close_transfer(handle_at(info, 0, "transfer")));
}

// limit(upBytesPerSecond, downBytesPerSecond); 0: no limit
void EngineWrap::limit(const Napi::CallbackInfo& info) {
  const uint64_t up = number_at(info, 0, "up", kRateMax);
  engine_->limit(up, number_at(info, 1, "down", kRateMax));
}

// limitTransfer(transfer, upBytesPerSecond, downBytesPerSecond, weight)
void EngineWrap::limit_transfer(const Napi::CallbackInfo& info) {
  const uint32_t transfer = handle_at(info, 0, "transfer");
  const uint64_t up = number_at(info, 1, "up", kRateMax);
  const uint64_t down = number_at(info, 2, "down", kRateMax);
  const auto weight = static_cast<double>(number_at(info, 3, "weight", kWeightMax));
  if (weight < 1) throw Napi::TypeError::New(info.Env(), "weight: zero");
  throw_answer(info.Env(), engine_->limit_transfer(transfer, up, down, weight));
}

// limitFeeds(feeds: Float64Array, bytesPerSecond); 0: no limit
void EngineWrap::limit_feeds(const Napi::CallbackInfo& info) {
  const auto numbers = numbers_at(info, 0, "feeds");
  std::vector<uint32_t> feeds;
  for (size_t at = 0; at < numbers.ElementLength(); at++)
    feeds.push_back(static_cast<uint32_t>(numbers[at]));
  const uint64_t rate = number_at(info, 1, "bytesPerSecond", kRateMax);
  throw_answer(info.Env(), engine_->limit_feeds(std::move(feeds), rate));
}

Napi::Value EngineWrap::stats(const Napi::CallbackInfo& info) {
  std::vector<double> values;
  throw_answer(info.Env(), engine_->stats(handle_at(info, 0, "transfer"), &values));
  auto out = Napi::Float64Array::New(info.Env(), values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

Napi::Value EngineWrap::counters(const Napi::CallbackInfo& info) {
  std::vector<double> values = engine_->counters();
  std::lock_guard<std::mutex> hold(files_.mutex);
  values.push_back(static_cast<double>(files_.handles.size()));
  auto out = Napi::Float64Array::New(info.Env(), values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

}  // namespace fr
