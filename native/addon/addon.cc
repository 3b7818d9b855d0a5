// The module: the engine class, block hashing for worker threads, the error table.
#include <napi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "addon/coding_wrap.h"
#include "addon/engine_wrap.h"
#include "addon/tree_wrap.h"
#include "core/hash/blake3.h"
#include "core/hash/chunks.h"
#include "core/hash/hash.h"
#include "core/io/datagram.h"

namespace fr {
namespace {

struct ErrorName {
  int number;
  const char* name;
};

constexpr ErrorName kErrors[] = {
#define X(number, name) {number, #name},
#include "core/base/errors.def"
#undef X
};

// At most this much is hashed in one call, but for one block; the caller's thread waits for it.
constexpr uint64_t kHashMax = 1ull << 30;

// hashBlocks(file, offset, length, blockBytes, algorithm: as in hash.h, cachedOnly)
//   -> Uint8Array | undefined: not all of it is in the page cache
Napi::Value hash_blocks_js(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const uint32_t file = handle_at(info, 0, "file");
  const uint64_t offset = number_at(info, 1, "offset");
  const uint64_t block = number_at(info, 3, "blockBytes");
  const uint64_t length = number_at(info, 2, "length", std::max(kHashMax, block));
  const auto kind = static_cast<Algorithm>(number_at(info, 4, "algorithm", kAlgorithms - 1));
  if (block == 0) throw Napi::TypeError::New(env, "blockBytes: zero");
  const uint64_t blocks = (length + block - 1) / block;
  auto out = Napi::Uint8Array::New(env, blocks * digest_bytes(kind));
  const bool cached_only = flag_at(info, 5);
  const Status done = hash_blocks(file, offset, length, block, kind, out.Data(), cached_only);
  if (cached_only && done.sys_errno == EAGAIN) return env.Undefined();
  if (!done.ok()) throw_status(env, done);
  return out;
}

// indexChunks(file, offset, length) -> Uint8Array: entries as of chunks.h
Napi::Value index_chunks_js(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const uint32_t file = handle_at(info, 0, "file");
  const uint64_t offset = number_at(info, 1, "offset");
  const uint64_t length = number_at(info, 2, "length", kHashMax);
  std::vector<uint8_t> entries;
  const Status done = index_chunks(file, offset, length, entries);
  if (!done.ok()) throw_status(env, done);
  auto out = Napi::Uint8Array::New(env, entries.size());
  std::copy(entries.begin(), entries.end(), out.Data());
  return out;
}

// hashHoles(file, offset, length, blockBytes, algorithm) -> Uint8Array | undefined: there is data
Napi::Value hash_holes_js(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const uint32_t file = handle_at(info, 0, "file");
  const uint64_t offset = number_at(info, 1, "offset");
  const uint64_t length = number_at(info, 2, "length", kHashMax);
  const uint64_t block = number_at(info, 3, "blockBytes");
  const auto kind = static_cast<Algorithm>(number_at(info, 4, "algorithm", kAlgorithms - 1));
  if (block == 0) throw Napi::TypeError::New(env, "blockBytes: zero");
  auto out = Napi::Uint8Array::New(env, (length + block - 1) / block * digest_bytes(kind));
  const Status done = hash_holes(file, offset, length, block, kind, out.Data());
  if (done.sys_errno == EAGAIN) return env.Undefined();
  if (!done.ok()) throw_status(env, done);
  return out;
}

// blake3File(values) -> Uint8Array: the hash of a file from the values of its blocks
Napi::Value blake3_file_js(const Napi::CallbackInfo& info) {
  const std::string values = bytes_at(info, 0, "values");
  if (values.size() % kBlake3Bytes != 0) {
    throw Napi::TypeError::New(info.Env(), "values: not of 32 bytes each");
  }
  auto out = Napi::Uint8Array::New(info.Env(), kBlake3Bytes);
  const auto* first = reinterpret_cast<const uint8_t*>(values.data());
  blake3_file(first, values.size() / kBlake3Bytes, out.Data());
  return out;
}

// foldBlake3(values, perValue) -> Uint8Array: values of larger blocks from those of smaller ones
Napi::Value fold_blake3_js(const Napi::CallbackInfo& info) {
  const std::string values = bytes_at(info, 0, "values");
  const size_t per_value = number_at(info, 1, "perValue", UINT32_MAX);
  if (values.size() % kBlake3Bytes != 0) {
    throw Napi::TypeError::New(info.Env(), "values: not of 32 bytes each");
  }
  if (!std::has_single_bit(per_value)) {
    throw Napi::TypeError::New(info.Env(), "perValue: not a power of two");
  }
  const size_t count = values.size() / kBlake3Bytes;
  auto out = Napi::Uint8Array::New(info.Env(), (count + per_value - 1) / per_value * kBlake3Bytes);
  blake3_fold(reinterpret_cast<const uint8_t*>(values.data()), count, per_value, out.Data());
  return out;
}

// xxh64(bytes, seed?: bigint) -> bigint
Napi::Value xxh64_js(const Napi::CallbackInfo& info) {
  if (info.Length() < 1 || !info[0].IsTypedArray()) {
    throw Napi::TypeError::New(info.Env(), "bytes: not a Uint8Array");
  }
  const auto bytes = info[0].As<Napi::Uint8Array>();
  uint64_t seed = 0;
  if (info.Length() > 1 && info[1].IsBigInt()) {
    bool lossless = false;
    seed = info[1].As<Napi::BigInt>().Uint64Value(&lossless);
  }
  return Napi::BigInt::New(info.Env(), xxh64(bytes.Data(), bytes.ByteLength(), seed));
}

// tuneControl(fd): a thin link that shares its uplink with bulk data loses segments to full
// queues, and waits in them. Queues that know priorities let it pass; little is handed to the
// kernel ahead, so that a report that waits is the newest one. Linear time-outs (no doubling while
// few segments are in flight), and none over a second where the kernel offers that (Linux 6.15),
// keep heartbeats coming.
void tune_control_js(const Napi::CallbackInfo& info) {
  const int fd = static_cast<int>(number_at(info, 0, "fd", 1 << 30));
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  constexpr int kLowLatencyData = 18 << 2;  // DSCP AF21; one of the two families takes it
  setsockopt(fd, IPPROTO_IP, IP_TOS, &kLowLatencyData, sizeof kLowLatencyData);
  setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &kLowLatencyData, sizeof kLowLatencyData);
  constexpr int kInteractive = 6;  // TC_PRIO_INTERACTIVE; after the DSCP, which sets it as well
  setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &kInteractive, sizeof kInteractive);
  constexpr int kUnsentBytes = 16 << 10;
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes);
  setsockopt(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, &one, sizeof one);
  constexpr int kRtoMaxMs = 44;  // TCP_RTO_MAX_MS; older headers do not name it
  const int second = 1'000;
  setsockopt(fd, IPPROTO_TCP, kRtoMaxMs, &second, sizeof second);
}

// sendDatagram(address, text) -> 0 or errno
Napi::Value send_datagram_js(const Napi::CallbackInfo& info) {
  const int error = send_datagram(text_at(info, 0, "address"), text_at(info, 1, "text"));
  return Napi::Number::New(info.Env(), error);
}

}  // namespace

const char* code_name(Code code) {
  for (const ErrorName& error : kErrors) {
    if (error.number == static_cast<int>(code)) return error.name;
  }
  return "ERR_FR_ENGINE";
}

void throw_status(Napi::Env env, Status status) {
  auto error = Napi::Error::New(env, code_name(status.code));
  error.Set("code", Napi::String::New(env, code_name(status.code)));
  error.Set("errno", Napi::Number::New(env, status.sys_errno));
  throw error;
}

void throw_answer(Napi::Env env, const Answer& answer) {
  if (answer.misuse != nullptr) throw Napi::TypeError::New(env, answer.misuse);
  if (!answer.status.ok()) throw_status(env, answer.status);
}

uint64_t number_at(const Napi::CallbackInfo& info, size_t index, const char* name, double max) {
  if (index < info.Length() && info[index].IsNumber()) {
    const double value = info[index].As<Napi::Number>().DoubleValue();
    if (value >= 0 && value <= max && value == std::floor(value)) {
      return static_cast<uint64_t>(value);
    }
  }
  throw Napi::TypeError::New(info.Env(), std::string(name) + ": not a whole number in range");
}

uint32_t handle_at(const Napi::CallbackInfo& info, size_t index, const char* name) {
  return static_cast<uint32_t>(number_at(info, index, name, 4294967295.0));
}

bool flag_at(const Napi::CallbackInfo& info, size_t index) {
  return index < info.Length() && info[index].IsBoolean() &&
         info[index].As<Napi::Boolean>().Value();
}

std::string bytes_at(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (index >= info.Length() || !info[index].IsTypedArray()) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + ": not a Uint8Array");
  }
  const auto array = info[index].As<Napi::Uint8Array>();
  return {reinterpret_cast<const char*>(array.Data()), array.ByteLength()};
}

std::string text_at(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (index >= info.Length() || !info[index].IsString()) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + ": not a string");
  }
  std::string text = info[index].As<Napi::String>().Utf8Value();
  // The system would stop reading there, and open something else.
  if (text.find('\0') != std::string::npos) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + ": holds a NUL character");
  }
  return text;
}

class FrAddon : public Napi::Addon<FrAddon> {
 public:
  FrAddon(Napi::Env env, Napi::Object exports) {
    auto errors = Napi::Object::New(env);
    for (const ErrorName& error : kErrors) {
      errors.Set(error.name, Napi::Number::New(env, error.number));
    }
    auto shared = Napi::Object::New(env);
#define X(name, value) shared.Set(#name, Napi::Number::New(env, static_cast<double>(value)));
#include "core/base/bounds.def"
#undef X
    exports.Set("blake3File", Napi::Function::New(env, blake3_file_js, "blake3File"));
    exports.Set("bounds", shared);
    exports.Set("decodeFrames", Napi::Function::New(env, decode_frames_js, "decodeFrames"));
    exports.Set("encodeFrames", Napi::Function::New(env, encode_frames_js, "encodeFrames"));
    exports.Set("Engine", EngineWrap::define(env));
    exports.Set("errors", errors);
    exports.Set("eventNumbers", Napi::Number::New(env, kEventNumbers));
    exports.Set("foldBlake3", Napi::Function::New(env, fold_blake3_js, "foldBlake3"));
    exports.Set("hashBlocks", Napi::Function::New(env, hash_blocks_js, "hashBlocks"));
    exports.Set("sendDatagram", Napi::Function::New(env, send_datagram_js, "sendDatagram"));
    exports.Set("hashHoles", Napi::Function::New(env, hash_holes_js, "hashHoles"));
    exports.Set("indexChunks", Napi::Function::New(env, index_chunks_js, "indexChunks"));
    exports.Set("treeList", Napi::Function::New(env, tree_list_js, "treeList"));
    exports.Set("treeRead", Napi::Function::New(env, tree_read_js, "treeRead"));
    exports.Set("tuneControl", Napi::Function::New(env, tune_control_js, "tuneControl"));
    exports.Set("xxh64", Napi::Function::New(env, xxh64_js, "xxh64"));
  }
};

}  // namespace fr

using fr::FrAddon;
NODE_API_NAMED_ADDON(fastreplica, FrAddon)
